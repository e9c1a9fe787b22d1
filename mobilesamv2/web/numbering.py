"""What masks are called and coloured by: numbers that a thing keeps when another sampler finds it again."""

from __future__ import annotations

import numpy as np

from ..comparison.matching import match_masks
from ..types import Ints, Masks


def numbered_like(masks: Masks, seen: Ints, known: Masks, numbers: Ints) -> Ints:
    """Numbers for masks that came anew: those that match known ones get theirs, the others get free ones in order.

    Args:
        masks: N masks, of the picture of `known`.
        seen: int64 (M,), which of them people see at first: only these are matched.
        known, numbers: masks that were seen before, and what they are called.

    Returns:
        int64 (N,), no two alike.
    """
    pairs = match_masks(known, masks.select(seen)).pairs
    matched = seen[pairs[:, 1]]
    found = np.full(len(masks), -1, dtype=np.int64)
    found[matched] = numbers[pairs[:, 0]]
    found[found < 0] = free_numbers(len(masks) - len(matched), taken=numbers)
    return found


def free_numbers(count: int, *, taken: Ints) -> Ints:
    """The `count` smallest numbers from 0 on that are not `taken`, rising."""
    return np.setdiff1d(np.arange(count + len(taken)), taken)[:count]
