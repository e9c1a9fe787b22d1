"""The values that say which network a detector is."""

from __future__ import annotations

import pytest

from mobilesamv2 import zoo
from mobilesamv2.models.detector.config import DetectorConfig


@pytest.mark.parametrize("name", zoo.DETECTORS)
def test_a_configuration_survives_the_metadata_of_a_file(name: str) -> None:
    config = zoo.DETECTORS[name].config
    assert DetectorConfig.from_metadata({"format": "pt", **config.to_metadata()}) == config


def test_metadata_of_another_kind_describe_no_detector() -> None:
    assert DetectorConfig.from_metadata({"format": "pt", "architecture": "yolov8n.yaml"}) is None


@pytest.mark.parametrize(
    ("name", "architecture", "classes", "reg_max", "input_side"),
    [
        ("object-aware", "yolov8x.yaml", 1, 26, 1024),
        ("fastsam-s", "yolov8s.yaml", 1, 16, 1024),
        ("fastsam-x", "yolov8x.yaml", 1, 16, 1024),
        ("yolov8m", "yolov8m.yaml", 80, 16, 640),
        ("yolo11l", "yolo11l.yaml", 80, 16, 640),
    ],
)
def test_the_published_detectors_are_known(
    name: str, architecture: str, classes: int, reg_max: int, input_side: int
) -> None:
    config = zoo.DETECTORS[name].config
    assert config.architecture == architecture
    assert (config.classes, config.reg_max, config.input_side) == (classes, reg_max, input_side)


@pytest.mark.parametrize(
    ("family", "scale", "architecture"),
    [("yolov8-p2", "s", "yolov8s-p2.yaml"), ("yolov9c", "", "yolov9c.yaml"), ("custom", "", "custom.yaml")],
)
def test_the_size_stands_after_the_number_of_the_family(family: str, scale: str, architecture: str) -> None:
    assert DetectorConfig(family=family, scale=scale).architecture == architecture
