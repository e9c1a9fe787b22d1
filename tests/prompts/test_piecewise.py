"""Asking in pieces changes when answers come, and nothing else."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.prompts import GridSampler, MaskFilters, ObjectAwareSampler
from mobilesamv2.prompts.piecewise import PiecewiseSampler
from mobilesamv2.types import Masks, Picture, Prompts

from ..tiny import Boxes, picture, tiny_segmenter

BOXES = [[2, 3, 40, 30], [10, 10, 50, 38], [0, 0, 60, 40], [5, 5, 20, 20], [1, 1, 9, 9]]


def object_aware(boxes: list[list[float]] = BOXES) -> ObjectAwareSampler:
    return ObjectAwareSampler(detector=Boxes(boxes))


@pytest.mark.parametrize("piece", [1, 2, 5, 100])
def test_pieces_give_the_same_masks_and_prompts(piece: int) -> None:
    segmenter = tiny_segmenter()
    whole = segmenter.segment_everything(picture(), sampler=object_aware())
    sampler = PiecewiseSampler(object_aware(), piece=piece)
    result = segmenter.segment_everything(picture(), sampler=sampler)
    assert result.masks.rles == whole.masks.rles
    assert np.array_equal(result.masks.prompt_index, whole.masks.prompt_index)
    assert np.array_equal(result.prompts.boxes_xyxy, whole.prompts.boxes_xyxy)
    assert (result.sampler, sampler.asked, sampler.total) == ("object-aware", 5, 5)


def test_answers_can_be_looked_at_on_the_way() -> None:
    sampler = PiecewiseSampler(GridSampler(points_per_side=4), piece=6)
    steps = tiny_segmenter().steps(picture(), sampler=sampler)
    seen = [(sampler.asked, sampler.total) for _ in steps]
    assert sorted(set(seen) - {(0, 16)}) == [(0, 0), (6, 16), (12, 16), (16, 16)]
    answers = Masks.concatenate(sampler.answers)
    assert answers.prompt_index.max() == 15
    assert (np.diff(answers.prompt_index) >= 0).all()


def test_what_was_asked_before_is_left_out() -> None:
    segmenter = tiny_segmenter()
    whole = segmenter.segment_everything(picture(), sampler=object_aware())
    rest = segmenter.segment_everything(picture(), sampler=PiecewiseSampler(object_aware(), skip=3))
    assert np.array_equal(rest.prompts.boxes_xyxy, whole.prompts.boxes_xyxy[3:])
    later = whole.masks.select(whole.masks.prompt_index >= 3)
    assert rest.masks.rles == later.rles


@pytest.mark.parametrize(("boxes", "skip"), [([], 0), (BOXES, 5), (BOXES, 99)])
def test_nothing_to_ask_is_a_run_without_masks(boxes: list[list[float]], skip: int) -> None:
    sampler = PiecewiseSampler(object_aware(boxes), skip=skip)
    result = tiny_segmenter().segment_everything(picture(), sampler=sampler)
    assert (len(result.masks), len(result.prompts), sampler.asked) == (0, 0, 0)


def test_no_filter_is_applied_unless_it_is_given() -> None:
    strict = MaskFilters(predicted_iou=10.0)
    grid = GridSampler(points_per_side=2, filters=strict)
    segmenter = tiny_segmenter()
    assert len(segmenter.segment_everything(picture(), sampler=PiecewiseSampler(grid)).masks) > 0
    given = PiecewiseSampler(grid, filters=strict)
    assert len(segmenter.segment_everything(picture(), sampler=given).masks) == 0


@dataclass
class TwoRounds:
    """Asks about two boxes, then, if that gave masks, about a third."""

    name: str = "two-rounds"
    filters: MaskFilters = field(default_factory=MaskFilters)
    came: list[int] = field(default_factory=list)

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        boxes = np.array(BOXES[:3], dtype=np.float32)
        masks = yield Prompts(boxes_xyxy=boxes[:2])
        self.came = masks.prompt_index.tolist()
        yield Prompts(boxes_xyxy=boxes[2:])


def test_a_sampler_of_several_rounds_gets_the_masks_of_a_whole_round() -> None:
    inner = TwoRounds()
    sampler = PiecewiseSampler(inner, piece=1)
    result = tiny_segmenter().segment_everything(picture(), sampler=sampler)
    assert inner.came == [0, 1]
    assert Masks.concatenate(sampler.answers).prompt_index.tolist() == [0, 1, 2]
    assert sorted(result.masks.prompt_index.tolist()) == [0, 1, 2]


@pytest.mark.parametrize("wrong", [{"piece": 0}, {"skip": -1}])
def test_pieces_of_nothing_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(PromptError, match="at least 1 prompt"):
        PiecewiseSampler(object_aware(), **wrong)
