"""Drawn scenes, and a segmenter that sees exactly what is drawn: each colour in a picture is one object."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch

from mobilesamv2.ops.rle import box_of_runs, encode_runs, window_runs
from mobilesamv2.progress import Progress
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES, PartialMasks, SegmentationResult
from mobilesamv2.types import Bools, Masks, Picture, Prompts


def masks_of(shapes: list[Bools], size_hw: tuple[int, int]) -> Masks:
    """A mask for each shape; the larger, the surer."""
    runs = [window_runs(shape, origin_yx=(0, 0), height=size_hw[0]) for shape in shapes]
    scores = np.array([shape.sum() for shape in shapes], dtype=np.float32) / 1e6
    return Masks(
        size_hw=size_hw,
        rles=tuple(encode_runs(each, size_hw=size_hw) for each in runs),
        scores=scores,
        boxes_xyxy=np.array([box_of_runs(each, height=size_hw[0]) for each in runs], dtype=np.float32).reshape(-1, 4),
        predicted_iou=scores,
        stability=scores,
        detector_scores=scores,
        prompt_index=np.arange(len(shapes)),
    )


class DrawnSegmenter:
    """Finds each colour but black, where there are at least `least` pixels of it on a side as large as `sees`.

    Args:
        sees: longest side at which it looks: of larger pictures it sees a smaller copy. None: every pixel.
        least: pixels of a thing that it notices.
        skewed: how many pixels its masks grow to the right, to be a little wrong.
    """

    name = "drawn"
    device_description = "CPU, 1 thread"
    device = torch.device("cpu")

    def __init__(self, *, sees: int | None = None, least: int = 1, skewed: int = 0) -> None:
        self.sees, self.least, self.skewed = sees, least, skewed
        self.looked_at: list[tuple[int, int]] = []

    def steps(
        self, picture: Picture, request: Request | None = None, *, stop: Callable[[], bool] | None = None
    ) -> Generator[Progress | PartialMasks, None, SegmentationResult]:
        yield Progress("encode", 0, 1)
        self.looked_at.append(picture.shape[:2])
        is_complete = not (stop is not None and stop())
        shapes = self.shapes(picture) if is_complete else []
        size_hw = (picture.shape[0], picture.shape[1])
        masks = masks_of(shapes, size_hw)
        yield Progress("decode", len(shapes), len(shapes))
        info: dict[str, Any] = {"timings": dict.fromkeys(STAGES, 0.5), "masks_decoded": len(shapes)}
        return SegmentationResult(
            sampler="object-aware",
            model=self.name,
            device=self.device_description,
            request=request,
            masks=masks.sorted_by_score(),
            prompts=Prompts(boxes_xyxy=masks.boxes_xyxy, scores=masks.scores),
            is_complete=is_complete,
            **info,
        )

    def shapes(self, picture: Picture) -> list[Bools]:
        """What it sees, one bool (H, W) for each colour."""
        codes = picture.astype(np.int64) @ [65536, 256, 1]
        scale = 1.0 if self.sees is None else min(1.0, self.sees / max(picture.shape[:2]))
        found = []
        for code in np.unique(codes[codes > 0]):
            shape = codes == code
            if shape.sum() * scale**2 >= self.least:
                for _ in range(self.skewed):
                    shape[:, 1:] |= shape[:, :-1]
                found.append(shape)
        return found


def scene(size_hw: tuple[int, int], boxes_xyxy: list[tuple[int, int, int, int]]) -> Picture:
    """Ellipses in boxes, each in a colour of its own, later ones on earlier ones."""
    picture = np.zeros((*size_hw, 3), dtype=np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes_xyxy, start=1):
        y, x = np.mgrid[y0:y1, x0:x1]
        inside = ((2 * x + 1 - x0 - x1) / (x1 - x0)) ** 2 + ((2 * y + 1 - y0 - y1) / (y1 - y0)) ** 2 <= 1
        picture[y0:y1, x0:x1][inside] = (number, 255 - number, (37 * number) % 251)
    return picture
