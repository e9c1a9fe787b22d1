"""Any detector serves any model: each form of a checkpoint by its path, through the front door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import mobilesamv2
from mobilesamv2.errors import WeightsError
from mobilesamv2.models.detector.detector import DetectorConfig, ObjectDetector, build_detector_module
from mobilesamv2.weights import convert

from ...detector_checkpoints import object_aware_network, published_network, save_checkpoint, small_network

PICTURE = np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def yolo(folder: Path) -> Path:
    return save_checkpoint(folder / "yolo11n.pt", published_network("yolo11n.yaml", classes=80), input_side=64)


def fastsam(folder: Path) -> Path:
    return save_checkpoint(folder / "FastSAM.pt", published_network("yolov8n-seg.yaml"), input_side=64)


def object_aware(folder: Path) -> Path:
    return save_checkpoint(folder / "ObjectAwareModel.pt", object_aware_network(), input_side=64)


def state_dict(folder: Path) -> Path:
    state = published_network("yolo11n.yaml", classes=2).half().state_dict()
    torch.save({"state_dict": state}, folder / "mine.pt")
    return folder / "mine.pt"


def safetensors(folder: Path) -> Path:
    config = DetectorConfig(classes=2, input_side=64)
    state = published_network("yolov8n.yaml", classes=2).state_dict()
    save_file(state, folder / "mine.safetensors", metadata=config.to_metadata())
    return folder / "mine.safetensors"


def converted(folder: Path) -> Path:
    convert({"whole": object_aware(folder)}, folder / "converted.safetensors")
    return folder / "converted.safetensors"


@pytest.mark.parametrize(
    ("write", "input_side"),
    [(yolo, 64), (fastsam, 64), (object_aware, 64), (state_dict, 640), (safetensors, 64), (converted, 64)],
)
def test_a_model_runs_with_a_detector_of_any_form(
    write: Callable[[Path], Path], input_side: int, tmp_path: Path
) -> None:
    model = mobilesamv2.load("nano", detector=write(tmp_path), device="cpu")
    assert isinstance(model.detector, ObjectDetector)
    assert model.detector.input_side == input_side
    assert {parameter.dtype for parameter in model.detector.parameters()} == {torch.float32}
    assert len(model.detector.detect(PICTURE, confidence=0.3)) > 0
    result = model.segment_everything(PICTURE, max_prompts=2)
    assert len(result.masks) <= 2


def test_a_detector_that_finds_nothing_gives_no_masks(tmp_path: Path) -> None:
    network = small_network()
    for branch in network.model[-1].cv3:
        torch.nn.init.constant_(branch[-1].bias, -50.0)
    path = save_checkpoint(tmp_path / "blind.pt", network, input_side=64)
    model = mobilesamv2.load("nano", detector=path, device="cpu")
    assert len(model.segment_everything(PICTURE).masks) == 0


def test_a_detector_that_lacks_tensors_is_refused_with_their_names(tmp_path: Path) -> None:
    state = build_detector_module(DetectorConfig()).state_dict()
    del state["model.0.conv.weight"]
    torch.save(state, tmp_path / "cut.pt")
    with pytest.raises(WeightsError, match=r"missing \(model\.0\.conv\.weight\)"):
        mobilesamv2.load("nano", detector=tmp_path / "cut.pt", device="cpu")


def test_metadata_that_name_no_network_are_refused(tmp_path: Path) -> None:
    config = DetectorConfig(family="yolov99")
    save_file(build_detector_module(DetectorConfig()).state_dict(), tmp_path / "a.safetensors", config.to_metadata())
    with pytest.raises(WeightsError, match=r"yolov99n\.yaml"):
        mobilesamv2.load("nano", detector=tmp_path / "a.safetensors", device="cpu")
