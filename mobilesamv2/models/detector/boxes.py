"""Post-processing of a YOLO network: from its predictions for anchors to boxes, of one input size or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ...ops.boxes import voted_boxes
from ...ops.nms import nms
from ...types import Floats
from .config import NMS_IOU
from .letterbox import Letterbox

FIRST_FROM = 0.12
"""Boxes of the first look count if their longer side is at least this share of the picture's."""
SECOND_BELOW = 0.25
"""Boxes of the second look count if their longer side is below this share of the picture's."""
SNAP_PIXELS = 20.0
"""Edges of boxes nearer than this to the border of the detector's input move onto it, as in MobileSAMv2."""


@dataclass(frozen=True, eq=False)
class Detections:
    """N boxes of one picture, best first.

    Args:
        boxes_xyxy: float32 (N, 4) in pixels of the original picture, inside it and with an area.
        scores: float32 (N,), confidence in 0..1, falling.
    """

    boxes_xyxy: Floats = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    scores: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        if self.boxes_xyxy.shape != (len(self.scores), 4) or self.scores.ndim != 1:
            raise ValueError(
                f"Boxes must have the shape (N, 4) and scores (N,); got {self.boxes_xyxy.shape} "
                f"and {self.scores.shape}."
            )

    def __len__(self) -> int:
        return len(self.scores)


def decode_boxes(raw: Tensor, *, sizes_hw: Sequence[tuple[int, ...]], strides: Sequence[float]) -> Tensor:
    """Turn the distances a YOLOv8 head predicts into boxes.

    From the centre of its cell every anchor predicts the distances to the left, top, right and bottom edge,
    each as a distribution over whole cells whose mean is taken; a head with a single bin gives them as they are.

    Args:
        raw: (B, 4 * bins, A), logits, or distances in cells; anchors level by level, row by row.
        sizes_hw: rows and columns of cells in each level.
        strides: side of a cell in input pixels, for each level.

    Returns:
        (B, 4, A): centre x, centre y, width, height in input pixels.
    """
    batch, channels, anchors = raw.shape
    bins = channels // 4
    steps = torch.arange(bins, dtype=raw.dtype, device=raw.device)
    distributions = raw.view(batch, 4, bins, anchors)
    distances = (
        distributions[:, :, 0] if bins == 1 else torch.einsum("bekn,k->ben", distributions.softmax(dim=2), steps)
    )
    centres, cells = [], []
    for (height, width), stride in zip(sizes_hw, strides, strict=True):
        y = torch.arange(height, device=raw.device)[:, None].expand(height, width)
        x = torch.arange(width, device=raw.device).expand(height, width)
        centres.append(torch.stack([x.flatten(), y.flatten()]) + 0.5)
        cells.append(raw.new_full((height * width,), stride))
    centre = torch.cat(centres, dim=1).to(raw)  # (2, A), in cells
    first, last = centre - distances[:, :2], centre + distances[:, 2:]
    return torch.cat([(first + last) / 2, last - first], dim=1) * torch.cat(cells)


def boxes_from_predictions(
    predictions: Tensor,
    letterbox: Letterbox,
    *,
    confidence: float = 0.4,
    iou: float = NMS_IOU,
    max_boxes: int = 320,
    classes: int = 1,
) -> Detections:
    """Choose among the boxes a network predicts for one picture, and bring them to original pixels.

    After non-maximum suppression, edges near the border of the input are moved onto it (see `SNAP_PIXELS`),
    then the letter box is undone and boxes are clipped. Boxes left without an area are dropped.

    Args:
        predictions: (4 + classes + any, A): centre x, centre y, width, height in input pixels, then a
            confidence per class in 0..1; further rows are not used.
        letterbox: how the picture lies in the input.
        iou: of non-maximum suppression; 1: none.
        classes: how many rows are confidences; a box counts by the best of them, and its class not at all.
    """
    rows = predictions[: 4 + classes].float()
    rows = rows[:, rows[4:].amax(dim=0) > confidence]
    best, centre, half = rows[4:].amax(dim=0), rows[:2], rows[2:4] / 2
    corners = torch.cat([centre - half, centre + half]).T  # (N, 4)
    in_order = best.sort(descending=True, stable=True).indices if iou >= 1 else nms(corners, best, iou)
    kept = in_order[:max_boxes]
    boxes = np.asarray(corners[kept].cpu().numpy(), dtype=np.float32)
    height, width = letterbox.shape_hw
    boxes = letterbox.boxes_to_original(snap_to_border(boxes, shape_hw=(height, width)))
    scores = np.asarray(best[kept].cpu().numpy(), dtype=np.float32)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes_xyxy=boxes[solid], scores=scores[solid])


def snap_to_border(boxes_xyxy: Floats, *, shape_hw: tuple[int, int]) -> Floats:
    """Move edges of boxes (N, 4) that are nearer than `SNAP_PIXELS` to the border of `shape_hw` onto it."""
    height, width = shape_hw
    snapped = boxes_xyxy.copy()
    snapped[:, :2][boxes_xyxy[:, :2] < SNAP_PIXELS] = 0
    for column, side in ((2, width), (3, height)):
        snapped[boxes_xyxy[:, column] > side - SNAP_PIXELS, column] = side
    return snapped


def merge_looks(
    first: Detections,
    second: Detections,
    *,
    size_hw: tuple[int, int],
    iou: float,
    max_boxes: int,
    vote_iou: float | None = None,
) -> Detections:
    """Boxes of two looks at one picture: large ones from the first, small ones from the second, which sees it larger.

    Sizes are the longer side of a box as a share of the picture's; `FIRST_FROM` and `SECOND_BELOW` say which count.
    """
    longest = max(size_hw)
    parts = []
    for found, kept in (
        (first, _longer_sides(first) >= FIRST_FROM * longest),
        (second, _longer_sides(second) < SECOND_BELOW * longest),
    ):
        parts.append((found.boxes_xyxy[kept], found.scores[kept]))
    boxes = np.concatenate([part[0] for part in parts])
    scores = np.concatenate([part[1] for part in parts])
    chosen = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou)[:max_boxes]
    best = torch.from_numpy(boxes)[chosen]
    if vote_iou is not None:  # after suppression: what moved nearer to another box stays
        best = voted_boxes(torch.from_numpy(boxes), torch.from_numpy(scores), chosen, iou=vote_iou)
    return Detections(boxes_xyxy=best.numpy(), scores=scores[chosen.numpy()])


def _longer_sides(found: Detections) -> Floats:
    sides: Floats = (found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).max(axis=1, initial=0)
    return sides
