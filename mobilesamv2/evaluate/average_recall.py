"""Average recall of class-agnostic masks as COCO defines it (AR@K), for any K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from ..types import Ints, Masks, Rle

IOU_THRESHOLDS: npt.NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""COCO's: .50, .55 ... .95."""
AREAS: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
"""COCO's sizes of objects, in pixels of the picture, both ends included."""


@dataclass(frozen=True, eq=False)
class Matches:
    """How the objects of one picture were found.

    Args:
        areas: int64 (G,), pixels of each object.
        ranks: int64 (T, G) per IoU threshold: the rank (0 is best) of the mask that found the object, or
            `NOT_FOUND`.
    """

    areas: Ints
    ranks: Ints


NOT_FOUND = np.iinfo(np.int64).max


def match(truth: Sequence[Rle], masks: Masks, *, max_masks: int) -> dict[str, Matches]:
    """Give each object of one picture at most one mask, and each mask at most one object, as COCOeval does.

    Masks choose in order of their scores, each the object it overlaps most among those still free whose IoU
    reaches the threshold. The choice is made anew for each size of objects, since COCO lets a mask pass over
    objects of other sizes.

    Args:
        truth: G masks of objects.
        masks: N masks, in any order.
        max_masks: only so many of the best ranked masks take part.

    Returns:
        The matches for each size of `AREAS`.
    """
    order = np.argsort(-masks.scores, kind="stable")[:max_masks]
    areas = np.asarray(coco_mask.area(list(truth)), dtype=np.int64).reshape(-1)
    ious = np.zeros((len(order), len(truth)))
    if len(order) and len(truth):
        chosen = [masks.rles[index] for index in order]
        ious = np.asarray(coco_mask.iou(chosen, list(truth), [False] * len(truth)))
    found = {}
    for name, (low, high) in AREAS.items():
        inside = (areas >= low) & (areas <= high)
        ranks = np.stack([_greedy(ious[:, inside], threshold) for threshold in IOU_THRESHOLDS])
        found[name] = Matches(areas=areas[inside], ranks=ranks)
    return found


def _greedy(ious: npt.NDArray[np.float64], threshold: float) -> Ints:
    """Which mask (row) each object (column) goes to: int64 (G,)."""
    ranks = np.full(ious.shape[1], NOT_FOUND, dtype=np.int64)
    for rank in np.flatnonzero(ious.max(axis=1, initial=0) >= threshold):
        free = np.where(ranks == NOT_FOUND, ious[rank], -1)
        best = free.max()
        if best >= threshold:
            ranks[np.flatnonzero(free == best)[-1]] = rank  # COCOeval takes the last of equals
    return ranks


def average_recall(matches: Sequence[Matches], *, max_masks: int) -> float:
    """Share of all objects that the best `max_masks` masks of each picture find, averaged over thresholds.

    Args:
        matches: one per picture, made with at least `max_masks` masks.
        max_masks: the K of AR@K.

    Returns:
        0 to 1; NaN if there are no objects.
    """
    if not matches or sum(len(picture.areas) for picture in matches) == 0:
        return float("nan")
    ranks = np.concatenate([picture.ranks for picture in matches], axis=1)
    return float((ranks < max_masks).mean())


def recall_table(
    pictures: Sequence[dict[str, Matches]], *, max_masks: Sequence[int] = (10, 100, 1000)
) -> dict[str, float]:
    """AR@K for each K over all objects, and for the largest K also by size.

    Returns:
        Like `{"AR@10": ..., "AR@100": ..., "AR@1000": ..., "AR@1000 small": ..., ...}`.
    """
    table = {
        f"AR@{k}": average_recall([picture["all"] for picture in pictures], max_masks=k) for k in max_masks
    }
    for size in ("small", "medium", "large"):
        most = max(max_masks)
        table[f"AR@{most} {size}"] = average_recall([picture[size] for picture in pictures], max_masks=most)
    return table
