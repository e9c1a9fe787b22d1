"""Which masks of two sets are of the same thing. Knows nothing of models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from ..types import Bools, Ints, Masks

MATCH_IOU = 0.5
"""Masks that overlap at least so much show the same thing: COCO's lowest threshold."""


@dataclass(frozen=True, eq=False)
class Matching:
    """How two sets of masks of one picture belong together: each mask has at most one partner.

    Args:
        counts: how many masks the first and the second set have.
        pairs: int64 (K, 2), an index into the first and one into the second set, the best overlap first.
        ious: float64 (K,), the IoU of each pair.
    """

    counts: tuple[int, int]
    pairs: Ints
    ious: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def first_only(self) -> Ints:
        """int64, rising: masks of the first set without a partner."""
        return np.setdiff1d(np.arange(self.counts[0]), self.pairs[:, 0])

    @property
    def second_only(self) -> Ints:
        """int64, rising: masks of the second set without a partner."""
        return np.setdiff1d(np.arange(self.counts[1]), self.pairs[:, 1])

    def colour_ranks(self) -> tuple[Ints, Ints]:
        """Which colour each mask gets, so that partners share one: int64 (N,) and (M,).

        The first set keeps the colours it has alone, 0 to N - 1; masks that only the second set has get those
        from N on.
        """
        first = np.arange(self.counts[0])
        second = np.zeros(self.counts[1], dtype=np.int64)
        second[self.pairs[:, 1]] = self.pairs[:, 0]
        alone = self.second_only
        second[alone] = self.counts[0] + np.arange(len(alone))
        return first, second


def match_masks(first: Masks, second: Masks, *, iou: float = MATCH_IOU) -> Matching:
    """Pair masks of two sets one to one: the pair that overlaps most first, then the best of the rest.

    Args:
        first, second: masks of one picture, N and M.
        iou: the overlap that makes a pair, above 0 to 1; reaching it is enough. Of equal overlaps the better
            ranked masks become partners.

    Raises:
        ValueError: if the masks are of pictures of different sizes, or `iou` is out of range.
    """
    if not 0 < iou <= 1:
        raise ValueError(f"The IoU that makes a pair must lie above 0 and at most at 1; got {iou}.")
    if tuple(first.size_hw) != tuple(second.size_hw):
        raise ValueError(f"Masks of one picture have one size; got {first.size_hw} and {second.size_hw}.")
    possible = _possible(first, second, iou)
    rows, columns, overlaps = [], [], []
    for row in np.flatnonzero(possible.any(axis=1)):
        partners = np.flatnonzero(possible[row])
        rles = [second.rles[column] for column in partners]
        found = np.asarray(coco_mask.iou([first.rles[row]], rles, [False] * len(rles))).reshape(-1)
        enough = found >= iou
        rows.append(np.full(int(enough.sum()), row))
        columns.append(partners[enough])
        overlaps.append(found[enough])
    return _best_first(
        np.concatenate([np.zeros(0, dtype=np.int64), *rows]),
        np.concatenate([np.zeros(0, dtype=np.int64), *columns]),
        np.concatenate([np.zeros(0), *overlaps]),
        counts=(len(first), len(second)),
    )


def _possible(first: Masks, second: Masks, iou: float) -> Bools:
    """Pairs whose areas and boxes leave such an IoU possible, bool (N, M): few, and the rest need no decoding.

    The intersection is no larger than that of the boxes, the union no smaller than the larger mask.
    """
    areas = first.areas[:, None], second.areas[None]
    boxes = first.boxes_xyxy[:, None].astype(np.float64), second.boxes_xyxy[None].astype(np.float64)
    sides = np.minimum(boxes[0][..., 2:], boxes[1][..., 2:]) - np.maximum(boxes[0][..., :2], boxes[1][..., :2])
    largest_overlap = np.minimum(np.minimum(*areas), sides.clip(min=0).prod(axis=-1))
    return np.asarray((largest_overlap > 0) & (largest_overlap >= iou * np.maximum(*areas) - 1e-6))


def _best_first(rows: Ints, columns: Ints, overlaps: npt.NDArray[np.float64], *, counts: tuple[int, int]) -> Matching:
    """Take pairs from the best on; one with a mask that has a partner already is passed over."""
    free = np.ones(counts[0], dtype=np.bool_), np.ones(counts[1], dtype=np.bool_)
    taken = []
    for pair in np.lexsort((columns, rows, -overlaps)):
        row, column = rows[pair], columns[pair]
        if free[0][row] and free[1][column]:
            free[0][row] = free[1][column] = False
            taken.append(pair)
    chosen = np.array(taken, dtype=np.int64)
    pairs = np.stack([rows[chosen], columns[chosen]], axis=1)
    return Matching(counts=counts, pairs=pairs, ious=overlaps[chosen])
