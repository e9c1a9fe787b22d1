"""Masks that are rectangles, and samplers that are driven with them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.prompts import Sampler
from mobilesamv2.types import Masks, Picture, Prompts

SIZE_HW = (40, 80)
PICTURE = np.zeros((*SIZE_HW, 3), np.uint8)


class Finds:
    """A detector that finds these boxes, the surest first, its confidence falling from .9 to .6."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self.boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        boxes = self.boxes[:max_boxes]
        return Detections(boxes_xyxy=boxes, scores=np.linspace(0.9, 0.6, len(boxes), dtype=np.float32))


def rectangles(*boxes: tuple[int, int, int, int]) -> Masks:
    """One mask for each box."""
    full = [np.ones((y1 - y0, x1 - x0), dtype=np.bool_) for x0, y0, x1, y1 in boxes]
    rles = [
        encode_window(window, origin_yx=(box[1], box[0]), size_hw=SIZE_HW)
        for window, box in zip(full, boxes, strict=True)
    ]
    ones = np.ones(len(boxes), dtype=np.float32)
    return Masks(
        size_hw=SIZE_HW,
        rles=tuple(rles),
        scores=ones,
        boxes_xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        predicted_iou=ones,
        stability=ones,
        detector_scores=ones,
        prompt_index=np.arange(len(boxes)),
    )


NOTHING = rectangles()


def asked(sampler: Sampler, answer: Callable[[Prompts], Masks]) -> list[Prompts]:
    """The prompts of each round of a sampler that is sent what `answer` gives."""
    rounds = sampler.rounds(PICTURE)
    found = [next(rounds)]
    while True:
        try:
            found.append(rounds.send(answer(found[-1])))
        except StopIteration:
            return found


def points_of(*parts: Prompts) -> set[tuple[float, float]]:
    return {(float(x), float(y)) for part in parts if part.points is not None for x, y in part.points[:, 0]}
