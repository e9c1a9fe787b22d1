"""Masks made by hand for tests of exports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilesamv2.ops.rle import encode_window
from mobilesamv2.types import Masks


def boxes_as_masks(
    boxes_xyxy: Sequence[tuple[int, int, int, int]], size_hw: tuple[int, int], *, scores: float = np.nan
) -> Masks:
    """A filled mask for each box; a box without a pixel is an empty mask."""
    rles = tuple(
        encode_window(np.ones((y1 - y0, x1 - x0), dtype=np.bool_), origin_yx=(y0, x0), size_hw=size_hw)
        for x0, y0, x1, y1 in boxes_xyxy
    )
    values = np.full(len(rles), scores, dtype=np.float32)
    return Masks(
        size_hw=size_hw,
        rles=rles,
        scores=values,
        boxes_xyxy=np.asarray(boxes_xyxy, dtype=np.float32).reshape(-1, 4),
        predicted_iou=values,
        stability=values,
        detector_scores=np.full(len(rles), np.nan, dtype=np.float32),
        prompt_index=np.arange(len(rles)),
    )
