"""Descriptions of layers: what Ultralytics has, and what a file may not bring with it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from mobilesamv2 import zoo
from mobilesamv2.models.detector.config import LITE_FAMILY
from mobilesamv2.models.detector.detector import DetectorConfig, build_detector_module
from mobilesamv2.models.detector.layers import Layers, families, layers_of, parse_layers
from mobilesamv2.models.detector.network import detector_layout

PLAIN = layers_of(DetectorConfig()).description(classes=2, reg_max=16)


@pytest.mark.parametrize("name", zoo.DETECTORS)
def test_every_published_detector_is_described(name: str) -> None:
    config = zoo.DETECTORS[name].config
    if config.family != LITE_FAMILY:  # whose layers are in our own code
        assert layers_of(config).rows[-1][2] == "Detect"


def test_descriptions_survive_being_written() -> None:
    for family, layers in families():
        assert Layers.from_json(layers.to_json()) == layers, family


@pytest.mark.parametrize(
    "config",
    [
        DetectorConfig(reg_max=26),
        DetectorConfig(family="yolo11", classes=3, box_width=24, class_width=40),
        DetectorConfig(family="yolo26", reg_max=1),
    ],
    ids=lambda config: config.family,
)
def test_the_layout_is_that_of_the_network(config: DetectorConfig) -> None:
    state = build_detector_module(config).state_dict()
    assert detector_layout(config) == {name: value.shape for name, value in state.items()}


def test_a_description_in_the_working_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "yolov8n.yaml").write_text("activation: print('never')\nnc: 3\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert build_detector_module(DetectorConfig()).model[-1].nc == 1  # type: ignore[index, union-attr]


def test_a_family_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r'Ultralytics describes no network "yolov8q\.yaml"'):
        build_detector_module(DetectorConfig(scale="q"))


def spoilt(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(PLAIN), **changes}


def with_row(row: Any) -> dict[str, Any]:
    return spoilt(backbone=[row, *PLAIN["backbone"][1:]])


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        (None, "the description of its layers is missing"),
        ({}, "the description of its layers is incomplete"),
        (spoilt(head=[]), "the description of its layers is incomplete"),
        (spoilt(activation="__import__('os').system('true')"), "its activation is not known"),
        (spoilt(activation="nn.ReLU(print('x'))"), "its activation is not known"),
        (spoilt(head=[[[15, 18, 21], 1, "Pose", ["nc", [17, 3]]]]), 'its head is "Pose"'),
        (spoilt(head=[[[15, 18, 21], 1, "OBB", ["nc", 1]]]), 'its head is "OBB"'),
        (spoilt(head=[[-1, 1, "Classify", ["nc"]]]), 'its head is "Classify"'),
        (spoilt(head=[[[15, 18, 21], 1, "RTDETRDecoder", ["nc"]]]), 'its head is "RTDETRDecoder"'),
        (spoilt(head=[[[15, 18, 21], 1, "WorldDetect", ["nc", 512, True]]]), 'its head is "WorldDetect"'),
        (spoilt(head=[[-1, 1, "Detect", ["nc"]]]), "its head has a single level"),
        (
            with_row([-1, 1, "TorchVision", [3, "resnet18", "DEFAULT"]]),
            "argument 'resnet18', which is not known",
        ),
        (with_row([-1, 1, "TorchVision", [3]]), 'its layer "TorchVision" is not known'),
        (with_row([-1, 1, "eval", []]), 'its layer "eval" is not known'),
        (with_row([-1, 1, "Conv", ["__import__('os')", 3, 2]]), "which is not known"),
        (with_row([-1, 1, "Conv", [10**9, 3, 2]]), "which is not known"),
        (with_row([-1, 10**9, "Conv", [64, 3, 2]]), "is repeated 1000000000 times"),
        (with_row([10**9, 1, "Conv", [64, 3, 2]]), "has unknown inputs"),
        (with_row("Conv"), "one of its layers is incomplete"),
        (with_row([-1, 1, None, []]), "one of its layers is incomplete"),
        (spoilt(scales={"n": "wide"}), "its size is not known"),
        (spoilt(scales=3), "its size is not known"),
        (spoilt(backbone=PLAIN["backbone"] * 30), "it has more than 200 layers"),
    ],
)
def test_what_is_no_known_detector_is_refused_before_anything_is_made(description: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("(", r"\(")):
        parse_layers(description)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "nan"], ids=["cut", "deep", "number"])
def test_a_written_description_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the description of its layers is"):
        layers_of(DetectorConfig(layers=text))


def test_layers_that_do_not_fit_together_are_refused() -> None:
    layers = parse_layers(with_row([5, 1, "Conv", [64, 3, 2]]))
    with pytest.raises(ValueError, match="do not fit together"):
        build_detector_module(DetectorConfig(family="custom", scale="", layers=layers.to_json()))


def test_sizes_of_before_scales_had_names_are_understood() -> None:
    description = spoilt(depth_multiple=0.33, width_multiple=0.25)
    del description["scales"], description["scale"]
    layers = parse_layers(description)
    assert (layers.depth, layers.width, layers.scale) == (0.33, 0.25, "")
