"""The table of object detectors. The branch for masks of segmentation networks is left out."""

from __future__ import annotations

from ..models.detector.config import LITE_CONFIG, DetectorConfig
from .entries import DetectorEntry, Form, WeightsFile


def _pickled(
    name: str,
    filename: str,
    repo: str,
    *,
    summary: str,
    config: DetectorConfig,
    bytes: int | None = None,
    about_bytes: int | None = None,
    sha256: str | None = None,
) -> DetectorEntry:
    file = WeightsFile(
        filename=filename,
        repo=repo,
        bytes=bytes,
        about_bytes=about_bytes,
        sha256=sha256,
        licence="AGPL-3.0",
        form=Form.ULTRALYTICS,
    )
    return DetectorEntry(name=name, files={"whole": file}, config=config, summary=summary)


def _yolo(version: str, size: str, *, about_bytes: int, sha256: str | None = None) -> DetectorEntry:
    name = f"yolo{version}{size}"
    return _pickled(
        name,
        f"{name}.pt",
        f"Ultralytics/YOLO{version}",
        summary=f"YOLO{version}{size}, 80 classes of COCO",
        config=DetectorConfig(family=f"yolo{version}", scale=size, classes=80, input_side=640),
        about_bytes=about_bytes,
        sha256=sha256,
    )


ENTRIES: tuple[DetectorEntry, ...] = (
    DetectorEntry(
        name="nano-objects",
        files={
            "whole": WeightsFile(
                filename="nano-objects.safetensors",
                bytes=9_219_056,
                sha256="1d8482bf7b8fcedcebf7c9f432c7119bf035d20c95bf9db0f4b115106c60c3ad",
            )
        },
        config=LITE_CONFIG,
        summary="objects of any kind on EfficientNet-Lite0, comes with the package",
        nms_iou=0.7,  # it gives several nearly equal boxes for an object; see its model card
        vote_iou=0.8,
        bfloat16_on_cpu=True,
    ),
    _pickled(
        "object-aware",
        "ObjectAwareModel.pt",
        "RogerQi/MobileSAMV2",
        summary="MobileSAMv2's detector of objects of any kind",
        config=DetectorConfig(scale="x", reg_max=26, input_side=1024),
        about_bytes=140_000_000,
    ),
    _pickled(
        "fastsam-s",
        "FastSAM-s.pt",
        "Uminosachi/FastSAM",
        summary="FastSAM's smaller network, its boxes",
        config=DetectorConfig(scale="s", input_side=1024),
        about_bytes=23_600_000,
    ),
    _pickled(
        "fastsam-x",
        "FastSAM-x.pt",
        "Uminosachi/FastSAM",
        summary="FastSAM's larger network, its boxes",
        config=DetectorConfig(scale="x", input_side=1024),
        bytes=144_943_063,
        sha256="c0be4e7ddbe4c15333d15a859c676d053c486d0a746a3be6a7a9790d52a9b6d7",
    ),
    _yolo("v8", "n", about_bytes=6_300_000),
    _yolo("v8", "s", about_bytes=22_300_000),
    _yolo("v8", "m", about_bytes=51_800_000),
    _yolo("v8", "l", about_bytes=87_400_000),
    _yolo("v8", "x", about_bytes=136_500_000),
    _yolo(
        "11",
        "n",
        about_bytes=5_200_000,
        sha256="0ebbc80d4a7680d14987a577cd21342b65ecfd94632bd9a8da63ae6417644ee1",
    ),
    _yolo("11", "s", about_bytes=18_900_000),
    _yolo("11", "m", about_bytes=40_200_000),
    _yolo("11", "l", about_bytes=50_700_000),
    _yolo("11", "x", about_bytes=113_900_000),
)
