"""Boundary IoU: how well the outlines of two masks agree. The IoU of large masks hardly shows that."""

from __future__ import annotations

import math

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from ..ops.rle import decode_rle
from ..types import Bools, Rle

BAND_SHARE = 0.02
"""Width of the band along an outline, as a share of the picture's diagonal; the default of arXiv 2103.16562."""


def boundary_iou(first: Rle, second: Rle) -> float:
    """IoU of the bands inside two masks of one picture along their outlines (arXiv 2103.16562).

    The picture's edge is an outline too. A mask thinner than the band is all band, so small masks have nearly their
    IoU. Two empty masks have 0.

    Raises:
        ValueError: if the masks are of pictures of different sizes.
    """
    if tuple(first["size"]) != tuple(second["size"]):
        raise ValueError(f"The masks must be of one picture; got sizes {first['size']} and {second['size']}.")
    height, width = first["size"]
    boxes = [coco_mask.toBbox(rle) for rle in (first, second) if coco_mask.area(rle)]
    if not boxes:
        return 0.0
    x0, y0 = (int(min(box[axis] for box in boxes)) for axis in (0, 1))
    x1, y1 = (int(max(box[axis] + box[axis + 2] for box in boxes)) for axis in (0, 1))
    thickness = max(1, round(BAND_SHARE * math.hypot(height, width)))
    a, b = (_band(decode_rle(rle, (x0, y0, x1, y1)), thickness) for rle in (first, second))
    return float((a & b).sum() / (a | b).sum())


def _band(mask: Bools, thickness: int) -> Bools:
    """The pixels of `mask` that are within `thickness` pixels of its outside, counted as a king moves."""
    square = np.ones((2 * thickness + 1, 2 * thickness + 1), dtype=np.uint8)
    inside = cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    band: Bools = mask & (inside == 0)
    return band
