"""How much one mask shares with others, by boxes and by pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from ..arrays import Floats, Ints, Rle


def box_overlaps(boxes_xyxy: Floats, index: int, others: Ints) -> npt.NDArray[np.float64]:
    """Pixels that one box shares with each of `others`: no mask shares more with another than their boxes do."""
    box, rest = boxes_xyxy[index].astype(np.float64), boxes_xyxy[others].astype(np.float64)
    sides = np.minimum(rest[:, 2:], box[2:]) - np.maximum(rest[:, :2], box[:2])
    overlap: npt.NDArray[np.float64] = sides.clip(min=0).prod(axis=1)
    return overlap


def shares(rles: Sequence[Rle], others: Ints, index: int, *, of_union: bool) -> npt.NDArray[np.float64]:
    """Intersection of each of `others` with one mask over their union, or over the other's own area."""
    if len(others) == 0:
        return np.zeros(0)
    found = coco_mask.iou([rles[other] for other in others], [rles[index]], [not of_union])
    return np.asarray(found, dtype=np.float64).reshape(-1)
