"""A model small enough for tests: real modules, few channels, seeded random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.models.encoders.tiny_vit import TinyVitConfig
from mobilesamv2.models.mask_decoder.decoder import MaskDecoderConfig
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoderConfig
from mobilesamv2.models.sam import Sam, SamConfig
from mobilesamv2.prompts import MaskFilters
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Picture

Result = TypeVar("Result")

TINY = SamConfig(
    encoder=TinyVitConfig(
        widths=(8, 8, 16, 16),
        depths=(1, 1, 1, 1),
        heads=(1, 2, 2),
        windows=(4, 4, 4),
        merge_strides=(2, 1, 1),
        out_width=16,
        classes=2,
    ),
    prompt_encoder=PromptEncoderConfig(width=16, input_side=64, stride=8),
    mask_decoder=MaskDecoderConfig(width=16, heads=2, hidden_width=32, iou_hidden_width=16),
)


def tiny_sam(config: SamConfig = TINY) -> Sam:
    """Random weights, the same every time."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return Sam.from_config(config).eval()


class Boxes:
    """A detector that always finds the same boxes."""

    def __init__(self, boxes: Sequence[Sequence[float]]) -> None:
        self.boxes = np.array(list(boxes), dtype=np.float32).reshape(-1, 4)

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        boxes = self.boxes[:max_boxes]
        return Detections(boxes_xyxy=boxes, scores=np.linspace(0.9, 0.5, len(boxes), dtype=np.float32))


def tiny_segmenter(
    boxes: Sequence[Sequence[float]] = ((2, 3, 40, 30), (10, 10, 50, 38), (0, 0, 60, 40)), **options: Any
) -> Segmenter:
    """Finds `boxes` in every picture; grid search keeps what has a pixel."""
    return Segmenter(
        tiny_sam(),
        name="tiny",
        **{"grid_filters": MaskFilters(box_nms=0.9), "detector": Boxes(boxes), **options},
    )


def picture(height: int = 40, width: int = 60, seed: int = 0) -> Picture:
    """Random blobs, uint8 RGB."""
    coarse = np.random.default_rng(seed).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((-(-height // 5), -(-width // 6), 1), np.uint8))[:height, :width].copy()


def spied(function: Callable[..., Result], calls: list[Any]) -> Callable[..., Result]:
    """`function`, which first adds the positional arguments of each call to `calls`."""

    def spy(*arguments: Any, **options: Any) -> Result:
        calls.append(arguments)
        return function(*arguments, **options)

    return spy
