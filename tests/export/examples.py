"""Masks made by hand for tests of exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from mobilesamv2.arrays import Bools
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


def dense_as_masks(dense: Bools, *, scores: float = 0.5) -> Masks:
    """Masks of bool (N, H, W); a mask without a pixel is an empty one."""
    boxes = []
    for mask in dense:
        y, x = np.nonzero(mask)
        boxes.append((x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else (0, 0, 0, 0))
    size_hw = (dense.shape[1], dense.shape[2])
    rles = tuple(encode_window(mask, origin_yx=(0, 0), size_hw=size_hw) for mask in dense)
    return replace(boxes_as_masks(boxes, size_hw, scores=scores), rles=rles)


def blobs(count: int = 4, size_hw: tuple[int, int] = (40, 60), seed: int = 0) -> Masks:
    """Masks as models give them: smooth, each with islands and with holes."""
    random = np.random.default_rng(seed)
    noise = (cv2.GaussianBlur(random.random(size_hw), (0, 0), 3) for _ in range(count))
    return dense_as_masks(np.stack([one > np.median(one) for one in noise]))


def ring() -> Masks:
    """One mask with a hole, 20 x 20 around 8 x 8, on a picture of 40 x 60."""
    dense = np.zeros((1, 40, 60), dtype=np.bool_)
    dense[0, 5:25, 10:30] = True
    dense[0, 11:19, 16:24] = False
    return dense_as_masks(dense)


def without_holes(window: Bools) -> Bools:
    """The same, filled: a hole is what cannot be reached from outside over the sides of pixels."""
    framed = np.pad(~window, 1, constant_values=True).astype(np.uint8)
    _, labels = cv2.connectedComponents(framed, connectivity=4)
    return np.asarray(labels[1:-1, 1:-1] != labels[0, 0])
