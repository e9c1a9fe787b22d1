"""Points at the centres of a detector's boxes."""

from __future__ import annotations

import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.prompts import BoxCentresSampler, ObjectAwareSampler

from .rectangles import NOTHING, PICTURE, Finds, asked

BOXES = ((0, 0, 10, 20), (4, 6, 7, 7), (20, 0, 80, 40))


@pytest.mark.parametrize("multimask", [True, False])
def test_each_box_is_one_point_in_its_middle(multimask: bool) -> None:
    (prompts,) = asked(BoxCentresSampler(Finds(*BOXES), multimask=multimask), lambda _: NOTHING)
    assert prompts.boxes_xyxy is None
    assert prompts.points is not None
    assert prompts.points[:, 0].tolist() == [[5, 10], [5.5, 6.5], [50, 20]]
    assert prompts.labels is not None
    assert (prompts.labels == 1).all()
    assert prompts.multimask is multimask


def test_the_boxes_are_those_of_object_aware_sampling() -> None:
    detector = Finds(*BOXES)
    (boxes,) = ObjectAwareSampler(detector, max_prompts=2).rounds(PICTURE)
    (points,) = BoxCentresSampler(detector, max_prompts=2).rounds(PICTURE)
    assert boxes.scores is not None
    assert points.scores is not None
    assert points.scores.tolist() == boxes.scores.tolist()


def test_no_objects_are_an_empty_round() -> None:
    (prompts,) = BoxCentresSampler(Finds()).rounds(PICTURE)
    assert len(prompts) == 0


def test_a_budget_below_one_is_refused() -> None:
    with pytest.raises(PromptError, match="at least 1"):
        next(BoxCentresSampler(Finds(), max_prompts=0).rounds(PICTURE))
