"""Networks from names: loaded strictly, ready for inference, on the device and in the format that is asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mobilesamv2 import zoo
from mobilesamv2.build import LeftUnset, build_detector, build_sam, choose_device, choose_dtype
from mobilesamv2.errors import MobileSamError, UnknownModelError, WeightsError
from mobilesamv2.models.detector.detector import DetectorConfig, build_detector_module
from mobilesamv2.models.nano.model import NanoConfig, NanoModel
from mobilesamv2.models.sam import Sam, SamConfig


@pytest.fixture(scope="module")
def nano_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return NanoModel.from_config(NanoConfig()).state_dict()


@pytest.fixture(scope="module")
def detector_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return build_detector_module(DetectorConfig()).state_dict()


@pytest.fixture
def nano_file(nano_state: dict[str, Tensor], tmp_path: Path) -> Path:
    save_file(nano_state, tmp_path / "mine.safetensors")
    return tmp_path / "mine.safetensors"


@pytest.fixture
def detector_file(detector_state: dict[str, Tensor], tmp_path: Path) -> Path:
    save_file(detector_state, tmp_path / "objects.safetensors")
    return tmp_path / "objects.safetensors"


def test_a_model_has_the_weights_of_the_file_that_is_given(nano_state: dict[str, Tensor], nano_file: Path) -> None:
    sam = build_sam("nano", weights=nano_file, device="cpu", dtype=torch.float32)
    assert all(torch.equal(value, nano_state[key]) for key, value in sam.state_dict().items())


def test_a_model_is_ready_for_inference(nano_file: Path) -> None:
    sam = build_sam("nano", weights=str(nano_file), device="cpu", dtype=torch.float32)
    assert not any(module.training for module in sam.modules())
    assert not any(parameter.requires_grad for parameter in sam.parameters())
    assert (sam.device, sam.dtype) == (torch.device("cpu"), torch.float32)


def test_a_number_format_that_is_named_is_taken(nano_file: Path) -> None:
    sam = build_sam("nano", weights=nano_file, device="cpu", dtype=torch.bfloat16)
    assert sam.dtype == torch.bfloat16


def test_the_zoo_s_own_file_is_taken_when_no_other_is_given(
    nano_state: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_file(nano_state, tmp_path / "nano.safetensors")
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(tmp_path))
    own = dataclasses.replace(zoo.MODELS["nano"].files["whole"], bytes=None, sha256=None)
    monkeypatch.setitem(zoo.MODELS, "nano", dataclasses.replace(zoo.MODELS["nano"], files={"whole": own}))
    sam = build_sam("nano", device="cpu", dtype=torch.float32)
    assert isinstance(sam, NanoModel)
    assert torch.equal(sam.mask_head.leave.weight, nano_state["mask_head.leave.weight"])


def test_the_checkpoint_of_another_model_is_refused(nano_file: Path) -> None:
    with pytest.raises(WeightsError, match=r"mine\.safetensors was made for another architecture: \d+ tensors"):
        build_sam("mobilesam", weights=nano_file, device="cpu")


@pytest.fixture(scope="module")
def sam_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Sam.from_config(SamConfig()).state_dict()


@pytest.fixture
def two_files(sam_state: dict[str, Tensor], tmp_path: Path) -> dict[str, Path]:
    """MobileSAM's architecture as a file of the encoder and one of the rest."""
    encoder = {key: value for key, value in sam_state.items() if key.startswith("image_encoder.")}
    save_file(encoder, tmp_path / "encoder.safetensors")
    decoder = {key: value for key, value in sam_state.items() if key not in encoder}
    save_file(decoder, tmp_path / "decoder.safetensors")
    return {part: tmp_path / f"{part}.safetensors" for part in ("encoder", "decoder")}


def test_any_model_of_sam_s_family_may_be_given_as_two_files(
    sam_state: dict[str, Tensor], two_files: dict[str, Path]
) -> None:
    sam = build_sam("mobilesam", weights=two_files, device="cpu")
    assert all(torch.equal(value, sam_state[key]) for key, value in sam.state_dict().items())


def test_half_of_a_model_is_refused_with_what_is_missing(two_files: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match=r"holds the image encoder alone, .* give both files"):
        build_sam("mobilesam", weights=two_files["encoder"], device="cpu")


def test_the_embedded_model_is_one_file(two_files: dict[str, Path]) -> None:
    with pytest.raises(WeightsError, match="The weights of nano are one file"):
        build_sam("nano", weights=two_files, device="cpu")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["encoder"], 'got "encoder"'),
        (["encoder", "decoder", "detector"], 'got "encoder", "decoder", "detector"'),
        (["image_encoder", "mask_decoder"], 'got "image_encoder", "mask_decoder"'),
        (["whole"], 'got "whole"'),
        (["a", "b", "c", "d"], 'got "a", "b", "c", …'),
        ([], "got nothing"),
    ],
)
def test_two_files_under_other_names_are_refused(names: list[str], said: str, nano_file: Path) -> None:
    with pytest.raises(WeightsError, match=r'is given as \{"encoder": …, "decoder": …\}, .*' + said):
        build_sam("nano", weights=dict.fromkeys(names, nano_file), device="cpu")


@pytest.mark.parametrize("weights", [3, ["encoder.pt", "decoder.pt"], {"encoder": None, "decoder": "decoder.pt"}])
def test_what_is_no_path_is_said_to_be_none(weights: Any) -> None:
    with pytest.raises(WeightsError, match="A checkpoint is given by its path, as text or Path; got "):
        build_sam("nano", weights=weights, device="cpu")
    if not isinstance(weights, dict):
        with pytest.raises(WeightsError, match="A checkpoint is given by its path"):
            build_detector(weights, device="cpu")


def test_of_two_files_each_must_be_there(two_files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no file .*nowhere\.pt"):
        build_sam("nano", weights={**two_files, "decoder": tmp_path / "nowhere.pt"}, device="cpu")


def test_paths_may_begin_at_the_user_s_home(
    nano_file: Path, detector_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert build_sam("nano", weights=f"~/{nano_file.name}", device="cpu")
    assert build_detector(f"~/{detector_file.name}", device="cpu")
    with pytest.raises(WeightsError, match=r"There is no file ~nobody-of-that-name/x\.pt"):
        build_sam("nano", weights="~nobody-of-that-name/x.pt", device="cpu")


def test_layers_that_are_left_unset_have_their_usual_kinds_of_tensors(nano_state: dict[str, Tensor]) -> None:
    with LeftUnset():
        unset = NanoModel.from_config(NanoConfig()).state_dict()
    assert {key: (value.shape, value.dtype) for key, value in unset.items()} == {
        key: (value.shape, value.dtype) for key, value in nano_state.items()
    }
    torch.manual_seed(0)  # and outside of it random numbers are drawn again
    assert torch.nn.Linear(4, 4).weight.abs().sum() > 0


def test_an_unknown_model_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UnknownModelError, match='no model "large"'):
        build_sam("large", weights="nowhere.pt")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="There is no file"):
        build_sam("nano", weights=tmp_path / "nowhere.pt", device="cpu")


def test_a_detector_is_built_from_the_path_of_a_checkpoint(
    detector_file: Path, detector_state: dict[str, Tensor]
) -> None:
    detector = build_detector(str(detector_file), device="cpu")
    assert not any(parameter.requires_grad for parameter in detector.parameters())
    assert not detector.training
    picture = np.zeros((64, 96, 3), dtype=np.uint8)
    assert len(detector.detect(picture, confidence=1.0)) == 0
    last = "model.22.cv2.2.2.bias"  # not changed by folding batch norms
    assert torch.equal(detector.network.state_dict()[last], detector_state[last])


def test_a_detector_s_checkpoint_that_is_cut_short_is_refused(
    detector_state: dict[str, Tensor], tmp_path: Path
) -> None:
    state = {key: value for key, value in detector_state.items() if key != "model.0.conv.weight"}
    save_file(state, tmp_path / "cut.safetensors")
    with pytest.raises(WeightsError, match=r"1 tensors missing \(model\.0\.conv\.weight\)"):
        build_detector(tmp_path / "cut.safetensors", device="cpu")


def test_the_file_of_a_detector_needs_no_ending(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match="mine is a text and no checkpoint"):
        build_detector("mine", device="cpu")


@pytest.mark.parametrize("name", ["object-unaware", "yolo"])
def test_a_detector_that_is_neither_name_nor_path_is_refused(name: str) -> None:
    with pytest.raises(UnknownModelError, match=f'no object detector "{name}"'):
        build_detector(name, device="cpu")


@pytest.mark.parametrize("name", ["nowhere.pt", "folder/nano-objects", "long/" + 300 * "a"])
def test_the_path_of_no_file_is_refused(name: str) -> None:
    with pytest.raises(WeightsError, match=f"There is no file {name}"):
        build_detector(name, device="cpu")


class Gpu:
    """A CUDA device of some compute capability, as torch describes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int] | None) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: capability is not None)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 0 if capability is None else 1)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)


def test_the_first_gpu_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, (9, 0))
    assert choose_device() == torch.device("cuda")


def test_the_cpu_is_chosen_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, None)
    assert choose_device() == torch.device("cpu")


def test_the_choice_of_device_is_said_with_its_reason(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Gpu(monkeypatch, None)
    with caplog.at_level("INFO", logger="mobilesamv2"):
        choose_device()
    assert caplog.messages == ["Running on the CPU, torch found no CUDA device."]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cuda", 'torch finds no device "cuda" here; use device="cpu"'),
        ("cuda:1", 'torch finds no device "cuda:1" here'),
        ("mps", 'torch finds no device "mps" here'),
        ("meta", 'torch finds no device "meta" here'),
        ("gpu", 'There is no device "gpu"; name "cpu"'),
    ],
)
def test_a_device_that_is_not_there_is_refused(device: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(MobileSamError, match=expected):
        choose_device(device)


def test_a_second_gpu_is_refused_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Gpu(monkeypatch, (8, 0))
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(MobileSamError, match='"cuda:1"'):
        choose_device("cuda:1")


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [
        ("cpu", None, torch.float32),
        ("mps", None, torch.float32),
        ("cuda", (7, 5), torch.float16),
        ("cuda", (8, 0), torch.bfloat16),
        ("cuda", (12, 0), torch.bfloat16),
    ],
)
def test_the_number_format_suits_the_device(
    device: str, capability: Any, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    Gpu(monkeypatch, capability)
    assert choose_dtype(torch.device(device)) == expected
    assert choose_dtype(torch.device(device), torch.float16) == torch.float16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_embedded_networks_run_in_bfloat16_on_processors_with_units_for_it(
    capabilities: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert build_sam("nano", device="cpu").dtype == expected
    assert next(build_detector("nano-objects", device="cpu").parameters()).dtype == expected
    assert build_sam("nano", device="cpu", dtype=torch.float32).dtype == torch.float32
    assert choose_dtype(torch.device("cpu")) == torch.float32


def test_pytorch_that_does_not_tell_what_processors_can_do_runs_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert build_sam("nano", device="cpu").dtype == torch.float32


def test_a_number_format_without_fractions_is_refused() -> None:
    with pytest.raises(MobileSamError, match="float16 or bfloat16; got"):
        choose_dtype(torch.device("cpu"), torch.int8)
