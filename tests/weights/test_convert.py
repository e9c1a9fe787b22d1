"""Checkpoints as safetensors: the same numbers, under names that `load` takes again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from mobilesamv2.errors import WeightsError
from mobilesamv2.models.detector.detector import DetectorConfig, build_detector_module
from mobilesamv2.weights import convert, load_sam
from tests.tiny import tiny_sam

from .conftest import assert_one_sentence
from .test_sam import State, assert_has, decoder_of, encoder_of, halved, other_weights, prefixed


@pytest.fixture(scope="module")
def state() -> State:
    return {name: value.clone() for name, value in tiny_sam().state_dict().items()}


def test_a_wrapped_model_becomes_its_plain_tensors(state: State, tmp_path: Path) -> None:
    torch.save({"state_dict": prefixed(state, "module.")}, tmp_path / "whole.pt")
    assert convert({"whole": tmp_path / "whole.pt"}, tmp_path / "whole.safetensors") == len(state)
    assert set(load_file(tmp_path / "whole.safetensors")) == set(state)
    sam = other_weights()
    load_sam(sam, {"whole": tmp_path / "whole.safetensors"})
    assert_has(sam, state)


def test_two_files_become_one_whole_model(state: State, tmp_path: Path) -> None:
    torch.save({"model": encoder_of(state, "module.")}, tmp_path / "encoder.pt")
    torch.save(decoder_of(state), tmp_path / "decoder.pt")
    convert(
        {"encoder": tmp_path / "encoder.pt", "decoder": tmp_path / "decoder.pt"},
        tmp_path / "whole.safetensors",
    )
    sam = other_weights()
    load_sam(sam, {"whole": tmp_path / "whole.safetensors"})
    assert_has(sam, state)


def test_each_half_is_converted_by_itself_too(state: State, tmp_path: Path) -> None:
    files = {}
    for part, content in (("encoder", encoder_of(state)), ("decoder", decoder_of(state))):
        torch.save(content, tmp_path / f"{part}.pt")
        files[part] = tmp_path / f"{part}.safetensors"
        convert({"whole": tmp_path / f"{part}.pt"}, files[part])
    sam = other_weights()
    load_sam(sam, files)
    assert_has(sam, state)


def test_halves_that_are_exchanged_are_refused(state: State, tmp_path: Path) -> None:
    torch.save(encoder_of(state, "image_encoder."), tmp_path / "encoder.pt")
    files = {"encoder": tmp_path / "encoder.pt", "decoder": tmp_path / "encoder.pt"}
    with pytest.raises(WeightsError, match=r"encoder\.pt does not hold the decoder"):
        convert(files, tmp_path / "whole.safetensors")
    assert not (tmp_path / "whole.safetensors").exists()


def test_numbers_stay_as_they_are_stored(state: State, tmp_path: Path) -> None:
    torch.save(halved(state), tmp_path / "whole.pt")
    convert({"whole": tmp_path / "whole.pt"}, tmp_path / "whole.safetensors")
    assert load_file(tmp_path / "whole.safetensors")["mask_decoder.iou_token.weight"].dtype == torch.float16


def test_tensors_that_share_their_numbers_or_lie_across_are_written(tmp_path: Path) -> None:
    numbers = torch.arange(6.0).reshape(2, 3)
    content: dict[str, Tensor] = {
        "image_encoder.a": numbers,
        "image_encoder.b": numbers,
        "image_encoder.c": numbers.T,
    }
    torch.save(content, tmp_path / "shared.pt")
    convert({"whole": tmp_path / "shared.pt"}, tmp_path / "shared.safetensors")
    found = load_file(tmp_path / "shared.safetensors")
    assert all(torch.equal(found[name], content[name]) for name in content)


def test_a_detector_keeps_its_description(tmp_path: Path) -> None:
    state = build_detector_module(DetectorConfig()).state_dict()
    save_file(state, tmp_path / "objects.safetensors", metadata=DetectorConfig(input_side=320).to_metadata())
    convert({"whole": tmp_path / "objects.safetensors"}, tmp_path / "again.safetensors")
    with safe_open(tmp_path / "again.safetensors", framework="pt") as file:
        assert DetectorConfig.from_metadata(file.metadata()) == DetectorConfig(input_side=320)


def test_a_file_that_is_there_is_replaced_whole_or_not_at_all(state: State, tmp_path: Path) -> None:
    target = tmp_path / "whole.safetensors"
    target.write_bytes(b"before")
    with pytest.raises(WeightsError, match="There is no file"):
        convert({"whole": tmp_path / "nowhere.pt"}, target)
    assert target.read_bytes() == b"before"
    torch.save(state, tmp_path / "whole.pt")
    convert({"whole": tmp_path / "whole.pt"}, target)
    convert({"whole": target}, target)
    assert set(load_file(target)) == set(state)
    assert {path.name for path in tmp_path.iterdir()} == {"whole.pt", "whole.safetensors"}


@pytest.mark.parametrize("name", ["whole.pt", "whole", "safetensors"])
def test_a_target_of_another_form_is_refused(name: str, state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "source.pt")
    with pytest.raises(WeightsError, match=r"must end in \.safetensors"):
        convert({"whole": tmp_path / "source.pt"}, tmp_path / name)


def test_a_file_in_place_of_a_folder_is_one_sentence(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "source.pt")
    with pytest.raises(WeightsError, match=r"whole\.safetensors cannot be written: ") as caught:
        convert({"whole": tmp_path / "source.pt"}, tmp_path / "source.pt" / "whole.safetensors")
    assert_one_sentence(caught.value)


def test_a_folder_that_is_not_there_is_one_sentence(state: State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "source.pt")
    with pytest.raises(WeightsError, match=r"whole\.safetensors cannot be written: .*No such file") as caught:
        convert({"whole": tmp_path / "source.pt"}, tmp_path / "nowhere" / "whole.safetensors")
    assert_one_sentence(caught.value)
