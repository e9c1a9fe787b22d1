"""Arithmetic of boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..arrays import Floats


def box_iou(first_xyxy: Tensor, second_xyxy: Tensor) -> Tensor:
    """Intersection over union of every box of one set with every box of another.

    Args:
        first_xyxy: (N, 4), x1 and y1 one past the last pixel, any frame.
        second_xyxy: (M, 4), in the same frame.

    Returns:
        (N, M) in the boxes' precision; 0 where neither box has an area.
    """
    first, second = first_xyxy[:, None], second_xyxy[None]
    sides = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    overlap = sides.clamp(min=0).prod(dim=-1)
    union = _areas(first_xyxy)[:, None] + _areas(second_xyxy)[None] - overlap
    return torch.where(union > 0, overlap / union, torch.zeros_like(overlap))


def voted_boxes(boxes_xyxy: Tensor, scores: Tensor, kept: Tensor, *, iou: float) -> Tensor:
    """The mean of each heap of nearly equal boxes in place of its best one (box voting, arXiv 1505.01749).

    Args:
        boxes_xyxy: float32 (N, 4), any frame.
        scores: (N,), above 0.
        kept: int64 (K,), the best boxes of the heaps, as `nms` gives them.
        iou: boxes that overlap a kept one by at least this are of its heap and weigh as much as score times IoU.

    Returns:
        float32 (K, 4).
    """
    overlap = box_iou(boxes_xyxy[kept], boxes_xyxy)
    share = torch.where(overlap >= iou, overlap * scores, torch.zeros_like(overlap))
    total = share.sum(dim=1, keepdim=True)
    return torch.where(total > 0, share @ boxes_xyxy.nan_to_num() / total.clamp(min=1e-12), boxes_xyxy[kept])


def inclusive_boxes(boxes_xyxy: Floats) -> Floats:
    """Boxes whose x1 and y1 are the last pixel instead of one past it.

    SAM takes the IoU of its mask boxes in this form, in which a mask one pixel wide has no area; filters that
    must agree with it do the same. The box of an empty mask, 0 0 0 0, stays as it is.

    Args:
        boxes_xyxy: float32 (N, 4), x1 and y1 one past the last pixel, as `Masks` has them.
    """
    return np.maximum(boxes_xyxy - np.array([0, 0, 1, 1], dtype=np.float32), 0).astype(np.float32)


def _areas(boxes_xyxy: Tensor) -> Tensor:
    return (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(dim=-1)
