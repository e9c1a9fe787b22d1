"""Boxes first, then points where no mask is, until enough is covered or the budget is spent."""

from __future__ import annotations

import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.filters import MaskFilters
from mobilesamv2.prompts import CoverageSampler, grid_prompts
from mobilesamv2.prompts.coverage import coverage_filters
from mobilesamv2.types import Masks, Prompts

from .rectangles import NOTHING, SIZE_HW, Finds, asked, points_of, rectangles

LEFT, RIGHT = (0, 0, 40, 40), (40, 0, 80, 40)


def in_boxes(prompts: Prompts) -> Masks:
    """Each box is filled; points have no mask."""
    if prompts.boxes_xyxy is None:
        return NOTHING
    return rectangles(*prompts.boxes_xyxy.astype(int).tolist())


def test_boxes_come_first_and_points_only_where_no_mask_is() -> None:
    boxes, *rounds = asked(CoverageSampler(Finds(LEFT), max_prompts=10_000), in_boxes)
    assert boxes.boxes_xyxy is not None
    assert not boxes.multimask
    assert len(rounds) == 4
    for side, prompts in zip((4, 8, 16, 32), rounds, strict=True):
        grid = grid_prompts(SIZE_HW, points_per_side=side)
        assert points_of(prompts) == {(x, y) for x, y in points_of(grid) if x >= 40}
        assert prompts.multimask


def test_it_stops_when_enough_is_covered() -> None:
    assert len(asked(CoverageSampler(Finds(LEFT, RIGHT)), in_boxes)) == 1
    assert len(asked(CoverageSampler(Finds(LEFT), target=0.5), in_boxes)) == 1
    assert len(asked(CoverageSampler(Finds(LEFT), target=0.51), in_boxes)) > 1

    def all_at_once(prompts: Prompts) -> Masks:
        return in_boxes(prompts) if prompts.points is None else rectangles(RIGHT)

    assert len(asked(CoverageSampler(Finds(LEFT)), all_at_once)) == 2


@pytest.mark.parametrize("budget", [1, 2, 3, 10, 17, 40])
def test_it_stops_when_the_budget_is_spent_and_a_smaller_budget_is_the_beginning_of_a_larger_one(
    budget: int,
) -> None:
    detector = Finds((0, 0, 20, 40), (0, 0, 10, 10), (70, 30, 80, 40))
    largest = Prompts.concatenate(asked(CoverageSampler(detector, max_prompts=100), in_boxes))
    asks = Prompts.concatenate(asked(CoverageSampler(detector, max_prompts=budget), in_boxes))
    assert len(largest) == 100
    assert len(asks) == budget
    if budget >= 3:  # the detector of this test spreads its confidence over the boxes it may give
        assert asks.to_list() == largest[:budget].to_list()


def test_points_far_from_all_masks_are_asked_first() -> None:
    _, first, *_ = asked(CoverageSampler(Finds(LEFT), max_prompts=3), in_boxes)
    assert first.points is not None
    assert first.points[:, 0].tolist() == [[70, 5], [70, 15]]


def test_no_point_ranks_above_a_box() -> None:
    boxes, *rounds = asked(CoverageSampler(Finds(LEFT, (0, 0, 10, 10))), in_boxes)
    assert boxes.scores is not None
    for prompts in rounds:
        assert prompts.scores is not None
        assert set(prompts.scores.tolist()) == {float(boxes.scores.min())}


def test_without_objects_it_is_a_search_by_points() -> None:
    boxes, first, *_ = asked(CoverageSampler(Finds()), in_boxes)
    assert (len(boxes), len(first)) == (0, 16)
    assert first.scores is not None
    assert set(first.scores.tolist()) == {1.0}


def test_one_mask_can_be_asked_of_each_point() -> None:
    rounds = asked(CoverageSampler(Finds(LEFT), multimask=False), in_boxes)
    assert not any(prompts.multimask for prompts in rounds)


def test_the_filters_are_those_of_points_and_compare_masks_by_their_pixels() -> None:
    own = MaskFilters(predicted_iou=0.5, stability=0.4, stability_offset=0.3, box_nms=0.6)
    assert coverage_filters(own) == MaskFilters(
        predicted_iou=0.5, stability=0.4, stability_offset=0.3, mask_nms=0.6, points_only=True
    )


@pytest.mark.parametrize("target", [-0.1, 1.5, float("nan")])
def test_a_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(PromptError, match="share of the picture"):
        CoverageSampler(Finds(), target=target)
