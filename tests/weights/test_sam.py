"""Models from one file or two, in the forms that are published: wrapped, prefixed, in half precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mobilesamv2.errors import WeightsError
from mobilesamv2.models.sam import Sam
from mobilesamv2.weights import load_sam
from mobilesamv2.weights.names import by_module, without_prefix
from tests.tiny import TINY, tiny_sam

from .conftest import assert_one_sentence

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    return {name: value.clone() for name, value in tiny_sam().state_dict().items()}


def encoder_of(state: State, prefix: str = "") -> State:
    return {
        prefix + name.partition(".")[2]: value for name, value in state.items() if name.startswith("image_encoder.")
    }


def decoder_of(state: State) -> dict[str, State]:
    """As MobileSAMv2 publishes it."""
    modules = by_module(state)
    return {"PromtEncoder": modules["prompt_encoder"], "MaskDecoder": modules["mask_decoder"]}


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


def halved(state: State) -> State:
    return {name: value.half() if value.is_floating_point() else value.clone() for name, value in state.items()}


def other_weights() -> Sam:
    torch.manual_seed(9)
    return Sam.from_config(TINY)


def assert_has(sam: Sam, state: State, *, tolerance: float = 0.0) -> None:
    for name, value in sam.state_dict().items():
        assert value.dtype == state[name].dtype
        assert torch.allclose(value, state[name], rtol=tolerance, atol=tolerance / 100), name


WHOLE: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "state_dict": lambda state: {"state_dict": state},
    "model": lambda state: {"model": state, "epoch": 3, "optimizer": {"lr": 0.1}},
    "nested": lambda state: {"model": {"state_dict": state}},
    "nested the other way": lambda state: {"state_dict": {"model": state}},
    "distributed": lambda state: prefixed(state, "module."),
    "prefixed": lambda state: prefixed(state, "model."),
    "twice prefixed": lambda state: {"state_dict": prefixed(state, "module.model.")},
    "compiled": lambda state: prefixed(state, "_orig_mod."),
    "parameters": lambda state: {
        name: torch.nn.Parameter(value, requires_grad=value.is_floating_point()) for name, value in state.items()
    },
}


@pytest.mark.parametrize("form", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_model_loads_from_every_wrapper_and_prefix(
    form: Callable[[State], Any], state: State, tmp_path: Path
) -> None:
    torch.save(form(state), tmp_path / "whole.pt")
    sam = other_weights()
    load_sam(sam, {"whole": tmp_path / "whole.pt"})
    assert_has(sam, state)


def test_half_precision_is_loaded_in_the_precision_of_the_model(state: State, tmp_path: Path) -> None:
    torch.save({"model": halved(state)}, tmp_path / "whole.pt")
    sam = other_weights()
    load_sam(sam, {"whole": tmp_path / "whole.pt"})
    assert_has(sam, state, tolerance=1e-3)


def test_safetensors_load_whatever_their_file_is_called(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "whole.bin")
    sam = other_weights()
    load_sam(sam, {"whole": tmp_path / "whole.bin"})
    assert_has(sam, state)


ENCODERS: dict[str, Callable[[State], Any]] = {
    "plain": encoder_of,
    "model": lambda state: {"model": encoder_of(state)},
    "state_dict": lambda state: {"state_dict": encoder_of(state, "image_encoder.")},
    "prefixed": lambda state: encoder_of(state, "module.image_encoder."),
    "other prefix": lambda state: encoder_of(state, "backbone."),
    "whole": lambda state: state,
    "half precision": lambda state: halved(encoder_of(state)),
}
DECODERS: dict[str, Callable[[State], Any]] = {
    "published": decoder_of,
    "flat": lambda state: {
        f"{module}.{name}": value for module, table in decoder_of(state).items() for name, value in table.items()
    },
    "wrapped": lambda state: {"model": decoder_of(state)},
    "prefixed": lambda state: {name: prefixed(table, "module.") for name, table in decoder_of(state).items()},
    "spelt": lambda state: {
        "PromptEncoder": decoder_of(state)["PromtEncoder"],
        "MaskDecoder": decoder_of(state)["MaskDecoder"],
        "epoch": 3,
    },
    "own names": lambda state: {name: value for name, value in state.items() if not name.startswith("image_encoder.")},
    "whole": lambda state: state,
    "half precision": lambda state: {name: halved(table) for name, table in decoder_of(state).items()},
}
TWO = [
    *((encoder, "published") for encoder in ENCODERS),
    *(("plain", decoder) for decoder in DECODERS if decoder != "published"),
]


@pytest.mark.parametrize(("encoder", "decoder"), TWO)
def test_a_model_loads_from_its_two_files(encoder: str, decoder: str, state: State, tmp_path: Path) -> None:
    torch.save(ENCODERS[encoder](state), tmp_path / "encoder.pt")
    torch.save(DECODERS[decoder](state), tmp_path / "decoder.pt")
    sam = other_weights()
    load_sam(sam, {"encoder": tmp_path / "encoder.pt", "decoder": tmp_path / "decoder.pt"})
    assert_has(sam, state, tolerance=1e-3 if "half precision" in (encoder, decoder) else 0.0)


# What does not fit --------------------------------------------------------------------------------------------


def refusal(content: Any, tmp_path: Path) -> str:
    torch.save(content, tmp_path / "given.pt")
    with pytest.raises(WeightsError) as caught:
        load_sam(tiny_sam(), {"whole": tmp_path / "given.pt"})
    assert_one_sentence(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["", "image_encoder.", "model.image_encoder."])
def test_an_encoder_alone_is_said_to_lack_the_decoder(prefix: str, state: State, tmp_path: Path) -> None:
    said = refusal(encoder_of(state, prefix), tmp_path)
    assert "holds the image encoder alone, without the prompt encoder and mask decoder; give both files" in said
    assert 'weights={"encoder": …, "decoder": …}' in said


def test_a_decoder_alone_is_said_to_lack_the_encoder(state: State, tmp_path: Path) -> None:
    said = refusal(decoder_of(state), tmp_path)
    assert "holds the prompt encoder and mask decoder alone, without the image encoder" in said


def test_another_network_is_refused_with_its_first_keys(tmp_path: Path) -> None:
    said = refusal({"fc.weight": torch.zeros(2), "fc.bias": torch.zeros(2)}, tmp_path)
    assert "was made for another architecture" in said
    assert "tensors missing (image_encoder." in said
    assert "2 tensors left over (weight, bias)" in said or "left over (fc.weight, fc.bias)" in said


def test_what_belongs_to_no_module_is_left_over(state: State, tmp_path: Path) -> None:
    said = refusal({**state, "head.weight": torch.zeros(2)}, tmp_path)
    assert "1 tensors left over (head.weight)" in said


def test_a_teacher_beside_the_model_is_left_over(state: State, tmp_path: Path) -> None:
    said = refusal({**prefixed(state, "student."), **prefixed(state, "teacher.")}, tmp_path)
    assert f"{len(state)} tensors left over (teacher.image_encoder." in said


def test_a_shape_that_differs_is_named(state: State, tmp_path: Path) -> None:
    said = refusal({**state, "mask_decoder.iou_token.weight": torch.zeros(1, 7)}, tmp_path)
    assert "1 tensors of another shape (mask_decoder.iou_token.weight (1, 7) instead of (1, 16))" in said


@pytest.mark.parametrize(
    "value",
    [
        torch.zeros(1, 16, dtype=torch.complex64),
        torch.zeros(1, 16, dtype=torch.int64),
        torch.zeros(1, 16).to_sparse(),
        torch.zeros(1, 16, device="meta"),
    ],
    ids=["complex", "whole numbers", "sparse", "nowhere"],
)
def test_other_kinds_of_numbers_are_refused(value: Tensor, state: State, tmp_path: Path) -> None:
    said = refusal({**state, "mask_decoder.iou_token.weight": value}, tmp_path)
    assert "1 tensors of another kind of numbers (mask_decoder.iou_token.weight)" in said


def test_files_that_are_exchanged_are_said_to_lack_their_part(state: State, tmp_path: Path) -> None:
    torch.save(encoder_of(state, "image_encoder."), tmp_path / "encoder.pt")
    torch.save(decoder_of(state), tmp_path / "decoder.pt")
    with pytest.raises(WeightsError, match=r"decoder\.pt holds no image encoder .*; name the file of the enc"):
        load_sam(tiny_sam(), {"encoder": tmp_path / "decoder.pt", "decoder": tmp_path / "encoder.pt"})
    with pytest.raises(WeightsError, match=r"encoder\.pt holds no prompt encoder and mask decoder"):
        load_sam(tiny_sam(), {"encoder": tmp_path / "encoder.pt", "decoder": tmp_path / "encoder.pt"})


def test_half_a_decoder_is_refused(state: State, tmp_path: Path) -> None:
    torch.save(encoder_of(state), tmp_path / "encoder.pt")
    torch.save({"MaskDecoder": decoder_of(state)["MaskDecoder"]}, tmp_path / "decoder.pt")
    with pytest.raises(WeightsError, match=r"decoder\.pt was made .* tensors missing \(prompt_encoder\."):
        load_sam(tiny_sam(), {"encoder": tmp_path / "encoder.pt", "decoder": tmp_path / "decoder.pt"})


# Names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "own", "expected"),
    [
        (["a.b", "a.c"], {"a.b", "a.c"}, ["a.b", "a.c"]),
        (["x.a.b", "x.a.c"], {"a.b", "a.c"}, ["a.b", "a.c"]),
        (["x.y.a.b", "x.y.a.c"], {"a.b", "a.c"}, ["a.b", "a.c"]),
        (["model.0.b", "model.1.c"], {"model.0.b", "model.1.c"}, ["model.0.b", "model.1.c"]),
        (["x.a", "y.b"], {"a", "b"}, ["x.a", "y.b"]),
        (["q.r"], {"a"}, ["q.r"]),
        ([], {"a"}, []),
    ],
)
def test_only_what_all_names_begin_with_and_the_network_lacks_is_taken_off(
    names: list[str], own: set[str], expected: list[str]
) -> None:
    assert list(without_prefix({name: torch.zeros(1) for name in names}, own)) == expected
