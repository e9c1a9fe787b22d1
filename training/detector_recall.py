"""Measures how much of what is labelled a detector finds, and how much of what it finds is labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from mobilesamv2.models.detector.detector import ObjectDetector
from mobilesamv2.ops.boxes import box_iou
from mobilesamv2.types import Floats, Picture

from .coco_data import LabelledPicture, read_picture

BUDGETS = (10, 100, 300)
THRESHOLDS = np.linspace(0.5, 0.95, 10)
SIZES = {"small": (0.0, 0.004), "medium": (0.004, 0.03), "large": (0.03, 1.01)}
"""Shares of the picture that a box covers."""


@dataclass(frozen=True)
class Recall:
    """What was found in a set of pictures. Several labelled boxes may be met by one found box.

    Args:
        average_recall: per number of best boxes, the share of labelled boxes that one of them meets, averaged over
            IoU thresholds .5, .55 ... .95.
        recall_at_half: the same at the single IoU threshold .5.
        by_size: per number of best boxes, the average recall of small, medium and large boxes (see `SIZES`).
        boxes_per_picture: median number of boxes above the confidence the samplers use.
        confident_recall: share of labelled boxes met (IoU .5) by one of those.
        precision: share of those that meet a labelled box (IoU .5), in pictures whose labels are exhaustive; NaN where
            there are none.
    """

    average_recall: dict[int, float]
    recall_at_half: dict[int, float]
    by_size: dict[int, dict[str, float]]
    boxes_per_picture: float
    confident_recall: float
    precision: float


def measure_recall(
    detector: ObjectDetector,
    pictures: Sequence[LabelledPicture],
    *,
    iou: float | None = None,
    confidence: float = 0.4,
    least: float = 0.01,
    read: Callable[[LabelledPicture], Picture] = read_picture,
) -> Recall:
    """Run a detector on labelled pictures, with non-maximum suppression at `iou`; None: as suits the detector.

    Args:
        confidence: what boxes are counted above for `boxes_per_picture`, `confident_recall` and `precision`.
        least: boxes below this confidence are not looked at; a higher one is faster.
        read: what decodes a picture.
    """
    best: dict[int, list[Floats]] = {budget: [] for budget in BUDGETS}
    confident: list[Floats] = []
    counts: list[int] = []
    right: list[npt.NDArray[np.bool_]] = []
    shares: list[npt.NDArray[np.float64]] = []
    for picture in pictures:
        found = detector.detect(read(picture), confidence=least, iou=iou, max_boxes=max(BUDGETS))
        overlap = box_iou(torch.from_numpy(picture.boxes_xyxy), torch.from_numpy(found.boxes_xyxy)).numpy()
        for budget in BUDGETS:
            best[budget].append(overlap[:, :budget].max(axis=1, initial=0))
        certain = int((found.scores > confidence).sum())
        confident.append(overlap[:, :certain].max(axis=1, initial=0))
        counts.append(certain)
        if picture.exhaustive:
            right.append(overlap[:, :certain].max(axis=0, initial=0) >= 0.5)
        sides = picture.boxes_xyxy[:, 2:] - picture.boxes_xyxy[:, :2]
        shares.append(sides.prod(axis=1) / np.prod(picture.size_hw))
    share = np.concatenate(shares)
    ious = {budget: np.concatenate(parts) for budget, parts in best.items()}
    certain_right = np.concatenate([np.zeros(0, dtype=np.bool_), *right])
    return Recall(
        average_recall={budget: _average(values) for budget, values in ious.items()},
        recall_at_half={budget: _share_above(values, 0.5) for budget, values in ious.items()},
        by_size={
            budget: {name: _average(values[(share >= low) & (share < high)]) for name, (low, high) in SIZES.items()}
            for budget, values in ious.items()
        },
        boxes_per_picture=float(np.median(counts)),
        confident_recall=_share_above(np.concatenate(confident), 0.5),
        precision=float(certain_right.mean()) if len(certain_right) else float("nan"),
    )


def _share_above(values: Floats, threshold: float) -> float:
    return float((values >= threshold).mean()) if len(values) else float("nan")


def _average(values: Floats) -> float:
    return float(np.mean([_share_above(values, threshold) for threshold in THRESHOLDS]))
