"""Detectors in every form in which they are published, with random weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mobilesamv2.errors import WeightsError
from mobilesamv2.models.detector.detector import (
    DetectorConfig,
    ObjectDetector,
    build_detector_module,
    fuse_batch_norm,
)
from mobilesamv2.models.detector.ultralytics_import import ultralytics_module
from mobilesamv2.weights.detector_files import read_detector

from ..detector_checkpoints import (
    answer,
    object_aware_network,
    published_network,
    save_checkpoint,
    small_network,
    with_old_names,
)

PICTURES = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def read_plain(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return dict[str, Tensor](load_file(path))
    content: Any = torch.load(path, weights_only=True)
    return dict(content)


def detector_from(path: Path) -> tuple[DetectorConfig, ObjectDetector]:
    config, state = read_detector(path, read_state_dict=read_plain)
    network = build_detector_module(config)
    network.load_state_dict(state)
    return config, ObjectDetector(fuse_batch_norm(network.eval()), input_side=config.input_side)


def predictions(detector: ObjectDetector) -> Tensor:
    with torch.inference_mode():
        found: Tensor = detector(PICTURES)
    return found


@pytest.mark.parametrize(
    ("description", "classes", "config"),
    [
        ("yolov8n.yaml", 80, DetectorConfig(classes=80)),
        ("yolov8n-seg.yaml", 1, DetectorConfig()),
        ("yolo11n.yaml", 3, DetectorConfig(family="yolo11", classes=3)),
        ("yolo11n-seg.yaml", 2, DetectorConfig(family="yolo11", classes=2)),
        ("yolov5n.yaml", 2, DetectorConfig(family="yolov5", classes=2)),
        ("yolov8n-p2.yaml", 2, DetectorConfig(family="yolov8-p2", classes=2)),
    ],
)
def test_a_full_pickle_gives_the_boxes_of_its_network(
    description: str, classes: int, config: DetectorConfig, tmp_path: Path
) -> None:
    network = published_network(description, classes=classes).half()
    found, detector = detector_from(save_checkpoint(tmp_path / "best.pt", network, input_side=96))
    assert found == dataclasses.replace(config, input_side=96)
    torch.testing.assert_close(predictions(detector), answer(network, PICTURES), rtol=1e-3, atol=1e-2)


def test_object_aware_s_head_is_read_as_a_detector(tmp_path: Path) -> None:
    network = object_aware_network()
    config, detector = detector_from(save_checkpoint(tmp_path / "ObjectAwareModel.pt", network))
    assert config == DetectorConfig(reg_max=26, input_side=320)
    whole = published_network("yolov8n-seg.yaml", reg_max=26).half()
    torch.testing.assert_close(predictions(detector), answer(whole, PICTURES), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(("description", "reg_max"), [("yolov10n.yaml", 16), ("yolo26n.yaml", 1)])
def test_of_a_head_with_two_pairs_of_branches_the_one_for_suppression_is_taken(
    description: str, reg_max: int, tmp_path: Path
) -> None:
    network = published_network(description, classes=2).half()
    config, detector = detector_from(save_checkpoint(tmp_path / "best.pt", network))
    assert config.reg_max == reg_max
    torch.testing.assert_close(predictions(detector), answer(network, PICTURES), rtol=1e-3, atol=1e-2)


def test_of_a_head_that_kept_one_pair_of_branches_that_is_taken(tmp_path: Path) -> None:
    network = published_network("yolo26n.yaml")
    network.end2end = True
    _, detector = detector_from(save_checkpoint(tmp_path / "best.pt", network.fuse(verbose=False)))
    network.model[-1].max_det = 7
    with torch.no_grad():
        best = network.float()(PICTURES)[0][0]  # rows of x0, y0, x1, y1, score, class; best first
    boxes, scores = predictions(detector)[0].split([4, 1])
    order = scores[0].argsort(descending=True)[:7]
    corners = torch.cat([boxes[:2] - boxes[2:] / 2, boxes[:2] + boxes[2:] / 2])
    torch.testing.assert_close(corners[:, order].T, best[:, :4], rtol=1e-3, atol=1e-2)


def test_the_averaged_weights_are_taken_before_the_last_ones(tmp_path: Path) -> None:
    last, average = small_network(), small_network(seed=1).half()
    _, detector = detector_from(save_checkpoint(tmp_path / "last.pt", last, ema=average))
    torch.testing.assert_close(predictions(detector), answer(average, PICTURES), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("form", ["ema only", "bare", "state dict", "fused", "old names", "another suffix"])
def test_the_same_network_in_another_wrapper_gives_the_same_boxes(form: str, tmp_path: Path) -> None:
    # Without a description beside the tensors only a known network can be told.
    network = published_network("yolov8n.yaml") if form in ("bare", "state dict") else small_network()
    expected = answer(network.half(), PICTURES)
    path = tmp_path / "it's mine.pt"
    if form == "ema only":
        save_checkpoint(path, network, model=None, ema=network.half())
    elif form == "bare":
        torch.save(network, path)
    elif form == "state dict":
        arguments = save_checkpoint(path, network) and network.args
        torch.save({"model": network.state_dict(), "train_args": arguments}, path)
    elif form == "fused":
        save_checkpoint(path, network.fuse(verbose=False))
    elif form == "old names":
        with_old_names(save_checkpoint(path, network))
    else:
        path = save_checkpoint(tmp_path / "checkpoint.pth", network)
    _, detector = detector_from(path)
    torch.testing.assert_close(predictions(detector), expected, rtol=1e-3, atol=1e-2)


def test_a_description_of_one_s_own_is_kept(tmp_path: Path) -> None:
    network = published_network("yolov8n.yaml", classes=2)
    description = network.yaml | {
        "scales": {"q": [0.33, 0.125, 256]},
        "scale": "q",
        "activation": "nn.ReLU()",
    }
    own = type(network)(description, nc=2, verbose=False).eval()
    config, detector = detector_from(save_checkpoint(tmp_path / "own.pt", own))
    assert config.family == "custom"
    torch.testing.assert_close(predictions(detector), answer(own, PICTURES), rtol=1e-3, atol=1e-2)
    state = build_detector_module(config).state_dict()
    save_file(state, tmp_path / "own.safetensors", metadata=config.to_metadata())
    again, _ = read_detector(tmp_path / "own.safetensors", read_state_dict=read_plain)
    assert again == config


@pytest.mark.parametrize(
    "config",
    [
        DetectorConfig(),
        DetectorConfig(reg_max=26, input_side=1024),
        DetectorConfig(family="yolo11", classes=80, input_side=640),
        DetectorConfig(family="yolo26", classes=2, reg_max=1, input_side=640),
        DetectorConfig(box_width=24, class_width=40, classes=2, input_side=640),
    ],
    ids=lambda config: f"{config.family}-{config.classes}-{config.reg_max}-{config.box_width}",
)
@pytest.mark.parametrize("metadata", [True, False])
def test_a_state_dict_is_recognised_with_and_without_metadata(
    config: DetectorConfig, metadata: bool, tmp_path: Path
) -> None:
    state = build_detector_module(config).state_dict()
    save_file(state, tmp_path / "own.safetensors", metadata=config.to_metadata() if metadata else None)
    found, tensors = read_detector(tmp_path / "own.safetensors", read_state_dict=read_plain)
    assert dataclasses.replace(found, input_side=config.input_side) == config
    assert tensors.keys() == state.keys()


@pytest.mark.parametrize("prefix", ["module.", "network.", "model.", "_orig_mod."])
def test_prefixes_are_taken_off(prefix: str, tmp_path: Path) -> None:
    state = build_detector_module(DetectorConfig()).state_dict()
    torch.save({prefix + name: value for name, value in state.items()}, tmp_path / "own.pt")
    found, tensors = read_detector(tmp_path / "own.pt", read_state_dict=read_plain)
    assert found == DetectorConfig()
    assert tensors.keys() == state.keys()


def test_names_without_the_first_prefix_are_understood(tmp_path: Path) -> None:
    state = build_detector_module(DetectorConfig()).state_dict()
    torch.save({name.removeprefix("model."): value for name, value in state.items()}, tmp_path / "own.pt")
    assert read_detector(tmp_path / "own.pt", read_state_dict=read_plain)[1].keys() == state.keys()


def test_a_state_dict_that_lacks_a_tensor_is_taken_for_its_nearest_network(tmp_path: Path) -> None:
    state = build_detector_module(DetectorConfig()).state_dict()
    del state["model.0.conv.weight"]
    save_file(state, tmp_path / "cut.safetensors")
    found, tensors = read_detector(tmp_path / "cut.safetensors", read_state_dict=read_plain)
    assert found == DetectorConfig()
    assert "model.0.conv.weight" not in tensors


def test_a_picture_without_objects_and_float16_weights_on_the_cpu_are_fine(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path / "half.pt", small_network(classes=80), input_side=64)
    _, detector = detector_from(path)
    assert {parameter.dtype for parameter in detector.parameters()} == {torch.float32}
    assert len(detector.detect(np.zeros((48, 64, 3), dtype=np.uint8), confidence=1.0)) == 0
    once = detector.detect(np.zeros((48, 64, 3), dtype=np.uint8), confidence=0.3)
    again = detector.detect(np.zeros((48, 64, 3), dtype=np.uint8), confidence=0.3)
    assert len(once) > 0
    np.testing.assert_array_equal(once.boxes_xyxy, again.boxes_xyxy)


@pytest.mark.parametrize(
    ("description", "kind", "head"),
    [("yolo11n-pose.yaml", "PoseModel", "Pose"), ("yolo11n-cls.yaml", "ClassificationModel", "Classify")],
)
def test_a_network_for_another_task_is_refused(description: str, kind: str, head: str, tmp_path: Path) -> None:
    network = getattr(ultralytics_module("ultralytics.nn.tasks"), kind)(description, verbose=False)
    path = save_checkpoint(tmp_path / "other.pt", network)
    with pytest.raises(WeightsError, match=rf'other\.pt is no detector that can be used here: its head is "{head}"'):
        read_detector(path, read_state_dict=read_plain)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no file .*nothing\.pt"):
        read_detector(tmp_path / "nothing.pt", read_state_dict=read_plain)


@pytest.mark.parametrize(
    "state",
    [{}, {"weight": torch.zeros(2)}, {"model.0.conv.weight": torch.zeros(16, 3, 3, 3)}],
    ids=["nothing", "another", "one layer"],
)
def test_tensors_of_something_else_are_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="it has no detection head"):
        read_detector(tmp_path / "other.pt", read_state_dict=read_plain)
