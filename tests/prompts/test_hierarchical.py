"""A coarse grid first, then the points of the fine grid that no mask covers."""

from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.prompts import HierarchicalSampler, grid_prompts
from mobilesamv2.prompts.pixels import pixels_of

from .rectangles import NOTHING, SIZE_HW, asked, points_of, rectangles


@pytest.mark.parametrize(("side", "coarse"), [(1, 1), (2, 1), (4, 1), (5, 2), (16, 4), (32, 8)])
def test_where_nothing_is_covered_the_whole_grid_is_asked_and_no_point_twice(side: int, coarse: int) -> None:
    rounds = asked(HierarchicalSampler(side), lambda _: NOTHING)
    grid = points_of(grid_prompts(SIZE_HW, points_per_side=side))
    assert [len(prompts) for prompts in rounds] == [coarse**2, side**2 - coarse**2][: 1 + (side > 1)]
    assert points_of(*rounds) == grid
    assert all(prompts.multimask for prompts in rounds)


def test_covered_points_are_not_asked() -> None:
    left_half = rectangles((0, 0, 40, 40))
    first, second = asked(HierarchicalSampler(8), lambda _: left_half)
    assert first.points is not None
    grid = grid_prompts(SIZE_HW, points_per_side=8)
    assert points_of(second) == {(x, y) for x, y in points_of(grid) if x >= 40} - points_of(first)


def test_the_coarse_points_lie_evenly_over_the_picture() -> None:
    first, *_ = asked(HierarchicalSampler(32), lambda _: NOTHING)
    assert first.points is not None
    for axis, edge in ((0, 80), (1, 40)):
        steps = np.unique(first.points[:, 0, axis])
        assert len(steps) == 8
        np.testing.assert_allclose(np.diff(steps), edge / 8)


def test_where_all_is_covered_nothing_more_is_asked() -> None:
    assert len(asked(HierarchicalSampler(8), lambda _: rectangles((0, 0, 80, 40)))) == 1


def test_one_mask_can_be_asked_of_each_point() -> None:
    rounds = asked(HierarchicalSampler(8, multimask=False), lambda _: NOTHING)
    assert not any(prompts.multimask for prompts in rounds)


def test_a_point_lies_in_the_pixel_whose_centre_is_nearest() -> None:
    prompts = grid_prompts((3, 5), points_per_side=1)
    rows, columns = pixels_of(prompts, (3, 5))
    assert (rows.tolist(), columns.tolist()) == ([2], [3])  # 1.5 lies between two centres
    rows, columns = pixels_of(grid_prompts((1, 1), points_per_side=1), (1, 1))
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(PromptError, match="at least 1 point"):
        HierarchicalSampler(0)
