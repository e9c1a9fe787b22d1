"""Which mask lies within which: wholes, parts, and parts of parts, as a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .ops.overlaps import box_overlaps, shares
from .types import Bools, Ints, Masks

NESTED_SHARE = 0.95
"""A mask is nested if at least so much of it lies within one larger mask."""


@dataclass(frozen=True, eq=False)
class Nesting:
    """N masks as a tree, or several.

    Args:
        parents: int64 (N,): of each mask the smallest one that it lies within, -1 for none.
    """

    parents: Ints

    @classmethod
    def of(cls, masks: Masks, *, share: float = NESTED_SHARE) -> Nesting:
        """The nesting of masks of one picture.

        A mask lies within a larger one if at least `share` of its pixels do. Of equally large masks only the later one
        can lie within the other. A mask without a pixel has no place in the tree.
        """
        parents = np.full(len(masks), -1, dtype=np.int64)
        for index, inside in _within_each(masks, share):
            parents[inside] = index  # from the largest on: the smallest around a mask comes last
        return cls(parents)

    def __len__(self) -> int:
        return len(self.parents)

    def parts_of(self, index: int) -> Ints:
        """The masks directly within mask `index`, int64, rising: its parts, not the parts of those."""
        return np.flatnonzero(self.parents == index)

    @property
    def depths(self) -> Ints:
        """int64 (N,): 0 for a mask that lies within none, 1 for a part of it, 2 for a part of a part, and so on."""
        depths = np.zeros(len(self.parents), dtype=np.int64)
        above = self.parents
        while (within := above >= 0).any():
            depths += within
            above = np.where(within, self.parents[above], -1)
        return depths


def nested(masks: Masks, *, share: float = NESTED_SHARE) -> Bools:
    """Which masks lie within a larger one: bool (N,). Of equal masks the first does not count as nested."""
    found = np.zeros(len(masks), dtype=np.bool_)
    for _, inside in _within_each(masks, share, known=found):
        found[inside] = True
    return found


def _within_each(masks: Masks, share: float, known: Bools | None = None) -> Iterator[tuple[int, Ints]]:
    """Each mask that has a pixel, the largest first, and which of the smaller ones lie within it.

    Args:
        known: bool (N,), masks that need not be looked at any more; may be changed on the way.
    """
    areas, places = masks.areas, np.arange(len(masks))
    for index in np.lexsort((places, -areas)):
        if areas[index] == 0:
            continue
        smaller = (areas < areas[index]) | ((areas == areas[index]) & (places > index))
        smaller &= areas > 0
        if known is not None:
            smaller &= ~known
        inner = np.flatnonzero(smaller)
        overlap = box_overlaps(masks.boxes_xyxy, int(index), inner)
        inner = inner[overlap >= share * areas[inner]]
        yield int(index), inner[shares(masks.rles, inner, int(index), of_union=False) >= share]
