"""What masks are called: the same where they are of one thing, and never two alike."""

from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.web.numbering import free_numbers, numbered_like

from .fakes import boxes, discs

PICTURE = np.zeros((60, 90, 3), dtype=np.uint8)
MASKS = discs(PICTURE, boxes(PICTURE, 12))


def test_matched_masks_take_the_numbers_of_those_that_are_known() -> None:
    numbers = np.array([3, 40, 5])
    found = numbered_like(MASKS, np.arange(12), MASKS.select([2, 7, 1]), numbers)
    assert found[[2, 7, 1]].tolist() == [3, 40, 5]
    assert sorted(set(found)) == sorted(found)
    assert np.delete(found, [2, 7, 1]).tolist() == [0, 1, 2, 4, 6, 7, 8, 9, 10]


def test_masks_that_nobody_sees_are_not_matched() -> None:
    found = numbered_like(MASKS, np.array([4]), MASKS, np.arange(100, 112))
    assert found[4] == 104
    assert found.max() == 104


@pytest.mark.parametrize("known", [0, 12])
@pytest.mark.parametrize("count", [0, 12])
def test_no_masks_are_numbered_too(known: int, count: int) -> None:
    masks = MASKS.select(np.arange(count))
    found = numbered_like(masks, np.arange(count), MASKS.select(np.arange(known)), np.arange(known))
    assert found.tolist() == list(range(count))


def test_free_numbers_are_the_smallest_that_are_left() -> None:
    assert free_numbers(3, taken=np.array([0, 2, 9])).tolist() == [1, 3, 4]
    assert free_numbers(0, taken=np.array([1])).tolist() == []
