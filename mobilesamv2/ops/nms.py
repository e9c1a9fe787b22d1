"""Greedy non-maximum suppression in plain numpy, so that no compiled extension is needed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def nms(boxes_xyxy: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Keep the best box of each heap of boxes that overlap by more than the threshold.

    Boxes are visited from the highest score down; equal scores in input order, NaN last. A visited box that
    is still there is kept and removes every later box whose IoU with it is above `iou_threshold`. The IoU is
    taken in the boxes' own precision. Two boxes without area have no IoU (0/0) and never remove each other.

    Args:
        boxes_xyxy: (N, 4), any frame, any device.
        scores: (N,), higher is better.
        iou_threshold: boxes that overlap by exactly this much both stay.

    Returns:
        int64 (K,), indices of the kept boxes, best first, on the device of `boxes_xyxy`.

    Raises:
        ValueError: if the shapes are not (N, 4) and (N,).
    """
    if boxes_xyxy.ndim != 2 or boxes_xyxy.shape[1] != 4 or scores.shape != boxes_xyxy.shape[:1]:
        raise ValueError(
            f"Boxes must have the shape (N, 4) and scores (N,); got {tuple(boxes_xyxy.shape)} "
            f"and {tuple(scores.shape)}."
        )
    boxes = _to_numpy(boxes_xyxy)
    order = np.argsort(-_to_numpy(scores), kind="stable")
    # One contiguous row per coordinate, best first; rows shrink as boxes are removed.
    x0, y0, x1, y1 = np.ascontiguousarray(boxes[order].T)
    areas = (x1 - x0) * (y1 - y0)
    # A float64 scalar: a Python float would be rounded to the boxes' precision before the comparison.
    threshold = np.float64(iou_threshold)
    kept: list[int] = []
    while len(order):
        kept.append(int(order[0]))
        width = np.minimum(x1[0], x1[1:]) - np.maximum(x0[0], x0[1:])
        height = np.minimum(y1[0], y1[1:]) - np.maximum(y0[0], y0[1:])
        overlap = np.maximum(width, 0) * np.maximum(height, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            iou = overlap / (areas[0] + areas[1:] - overlap)
        stays = ~(iou > threshold)  # NaN stays
        if stays.all():
            order, x0, y0, x1, y1, areas = (row[1:] for row in (order, x0, y0, x1, y1, areas))
        else:
            order, x0, y0, x1, y1, areas = (row[1:][stays] for row in (order, x0, y0, x1, y1, areas))
    return torch.tensor(kept, dtype=torch.int64, device=boxes_xyxy.device)


def _to_numpy(values: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.floating]]:
    values = values.detach().cpu()
    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    return values.numpy()
