"""Which masks of two sets are of the same thing: one to one, by their overlap, and what they cover."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from mobilesamv2.comparison.matching import match_masks
from mobilesamv2.types import Masks

from ..test_render import masks_of, rectangle

SIZE_HW = (40, 60)
NONE = Masks.empty(SIZE_HW)


def block(x0: int, x1: int, *, rows: int = 10) -> npt.NDArray[np.bool_]:
    """`rows` rows of pixels from column `x0` to `x1`."""
    return rectangle(*SIZE_HW, np.s_[0:rows], np.s_[x0:x1])


def noise(count: int, seed: int) -> Masks:
    """Rectangles anywhere, some nearly alike."""
    random = np.random.default_rng(seed)
    corners = random.integers(0, 30, (count, 2))
    return masks_of(*(rectangle(*SIZE_HW, np.s_[y : y + 9], np.s_[x : x + 12]) for y, x in corners))


def test_no_masks_have_no_partners() -> None:
    some = masks_of(block(0, 10), block(20, 30))
    for first, second in ((NONE, NONE), (NONE, some), (some, NONE)):
        matching = match_masks(first, second)
        assert len(matching) == 0
        assert matching.pairs.shape == (0, 2)
        assert len(matching.first_only) == len(first)
        assert len(matching.second_only) == len(second)
        assert [len(ranks) for ranks in matching.colour_ranks()] == [len(first), len(second)]


def test_a_set_matches_itself_in_order() -> None:
    masks = masks_of(block(0, 10), block(10, 30), block(40, 60))
    matching = match_masks(masks, masks)
    assert matching.pairs.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert matching.ious.tolist() == [1, 1, 1]


def test_masks_that_overlap_by_exactly_half_belong_together_and_by_less_do_not() -> None:
    whole = masks_of(block(0, 20))
    assert len(match_masks(whole, masks_of(block(0, 10)))) == 1
    assert len(match_masks(whole, masks_of(block(0, 9)))) == 0


def test_the_best_overlap_is_paired_first_and_nobody_twice() -> None:
    first = masks_of(block(0, 20), block(0, 18))
    second = masks_of(block(0, 18), block(40, 50))
    matching = match_masks(first, second)
    assert matching.pairs.tolist() == [[1, 0]]
    assert matching.first_only.tolist() == [0]
    assert matching.second_only.tolist() == [1]


def test_a_stricter_overlap_makes_fewer_pairs() -> None:
    first, second = masks_of(block(0, 20)), masks_of(block(0, 15))
    assert len(match_masks(first, second, iou=0.75)) == 1
    assert len(match_masks(first, second, iou=0.8)) == 0


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.7, 1.0])
def test_pairs_are_those_of_dense_masks(iou: float) -> None:
    first, second = noise(30, seed=1), noise(25, seed=2)
    dense = first.dense().reshape(30, -1).astype(float), second.dense().reshape(25, -1).astype(float)
    overlap = dense[0] @ dense[1].T
    ious = overlap / (dense[0].sum(1)[:, None] + dense[1].sum(1)[None] - overlap)
    expected = []
    while (best := ious.max()) >= iou:
        row, column = (int(index) for index in np.argwhere(ious == best)[0])
        expected.append([row, column])
        ious[row] = ious[:, column] = -1
    assert match_masks(first, second, iou=iou).pairs.tolist() == expected


def test_hundreds_of_masks_and_empty_ones_are_matched() -> None:
    many = masks_of(*[block(i % 50, i % 50 + 1 + i // 50) for i in range(300)], np.zeros(SIZE_HW, dtype=bool))
    matching = match_masks(many, many)
    assert len(matching) == 300
    assert matching.first_only.tolist() == [300]


def test_partners_share_a_colour_and_all_others_have_their_own() -> None:
    first = masks_of(block(0, 10), block(10, 20), block(20, 30))
    second = masks_of(block(40, 50), block(10, 20), block(50, 60), block(20, 31))
    ranks = match_masks(first, second).colour_ranks()
    assert ranks[0].tolist() == [0, 1, 2]
    assert ranks[1].tolist() == [3, 1, 4, 2]


def test_masks_of_another_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        match_masks(NONE, Masks.empty((40, 61)))


@pytest.mark.parametrize("iou", [0, -1, 1.1, float("nan")])
def test_an_overlap_that_makes_no_sense_is_refused(iou: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        match_masks(NONE, NONE, iou=iou)


def test_coverage_counts_each_pixel_once() -> None:
    assert NONE.coverage == 0
    assert masks_of(rectangle(*SIZE_HW, np.s_[:], np.s_[:])).coverage == 1
    assert masks_of(block(0, 30), block(10, 30), block(20, 40)).coverage == pytest.approx(400 / 2400)
