from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.prompts import GridSampler, grid_prompts


def test_points_are_the_cell_centres_row_by_row() -> None:
    prompts = grid_prompts((40, 100), points_per_side=2)
    assert prompts.points is not None
    assert prompts.points[:, 0].tolist() == [[25, 10], [75, 10], [25, 30], [75, 30]]
    assert prompts.labels is not None
    assert (prompts.labels == 1).all()
    assert prompts.multimask


@pytest.mark.parametrize("side", [1, 3, 32])
def test_a_grid_asks_the_square_of_its_side_inside_the_picture(side: int) -> None:
    prompts = grid_prompts((7, 9), points_per_side=side)
    assert len(prompts) == side**2
    assert prompts.points is not None
    assert (prompts.points > 0).all()
    assert (prompts.points < np.array([9, 7])).all()


def test_the_sampler_asks_once_with_the_published_filters() -> None:
    sampler = GridSampler(points_per_side=4)
    assert [len(prompts) for prompts in sampler.rounds(np.zeros((5, 5, 3), np.uint8))] == [16]
    filters = sampler.filters
    assert (filters.predicted_iou, filters.stability, filters.stability_offset, filters.box_nms) == (
        0.88,
        0.95,
        1,
        0.7,
    )


@pytest.mark.parametrize("side", [0, -1])
def test_a_grid_without_points_is_refused(side: int) -> None:
    with pytest.raises(PromptError, match="at least 1 point"):
        GridSampler(points_per_side=side)
    with pytest.raises(PromptError, match="at least 1 point"):
        grid_prompts((5, 5), points_per_side=side)
