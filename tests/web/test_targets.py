"""What a visitor pointed at, as values: objects, undo, choice."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.render import label_colours
from mobilesamv2.types import Masks
from mobilesamv2.web.targets import Targets, colours_of
from tests.export.examples import boxes_as_masks

EMPTY = Targets(size_hw=(40, 60))


def masks(*predicted: float) -> Masks:

    found = boxes_as_masks([(0, 0, 10 + i, 10) for i in range(len(predicted))], (40, 60))
    return dataclasses.replace(found, predicted_iou=np.array(predicted, dtype=np.float32))


def pointed(targets: Targets, x: float = 5, y: float = 6, label: int = 1) -> Targets:
    return targets.with_point(x, y, label=label, most_points=9).answered(masks(0.5, 0.9, 0.1))


def test_nothing_is_one_empty_object() -> None:
    assert EMPTY.current.is_empty
    assert len(EMPTY.masks) == 0
    assert EMPTY.masks.size_hw == (40, 60)
    assert EMPTY.undone() is EMPTY
    assert EMPTY.cleared() is EMPTY
    assert EMPTY.nbytes == 0


def test_one_click_is_ambiguous_and_the_surest_mask_is_chosen() -> None:
    targets = EMPTY.with_point(5, 6, label=1, most_points=9)
    assert targets.current.is_ambiguous
    answered = targets.answered(masks(0.5, 0.9, 0.1))
    assert answered.current.chosen == 1
    assert answered.masks.boxes_xyxy.tolist() == [[0, 0, 11, 10]]


def test_more_clicks_refine_the_same_object_and_are_not_ambiguous() -> None:
    targets = pointed(EMPTY).with_point(9, 9, label=0, most_points=9)
    assert targets.current.labels == (1, 0)
    assert not targets.current.is_ambiguous
    assert targets.current.candidates is None
    assert len(targets.objects) == 1


def test_points_beside_an_object_alone_cannot_be_asked() -> None:
    assert not EMPTY.with_point(1, 1, label=0, most_points=9).current.can_be_asked


def test_a_box_belongs_to_a_new_object_unless_the_active_one_is_empty() -> None:
    first = EMPTY.with_box((30, 20, 10, 5), most_objects=9)
    assert [target.box for target in first.objects] == [(10, 5, 30, 20)]
    second = first.with_box((0, 0, 8, 8), most_objects=9)
    assert [target.number for target in second.objects] == [1, 2]
    assert second.active == 1
    assert len(second.undone().objects) == 1


def test_a_box_is_cut_to_the_picture() -> None:
    assert EMPTY.with_box((-5, 30, 99, 99), most_objects=9).current.box == (0, 30, 60, 40)


@pytest.mark.parametrize("corners", [(70, 5, 80, 9), (3, 3, 3, 30), (1, 1, 1.5, 9), (-9, -9, -1, -1)])
def test_a_box_without_a_pixel_of_the_picture_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(PromptError):
        EMPTY.with_box(corners, most_objects=9)


@pytest.mark.parametrize(("x", "y"), [(60, 5), (-1, 5), (5, 40), (5, -0.6)])
def test_a_point_outside_the_picture_is_refused(x: float, y: float) -> None:
    with pytest.raises(PromptError, match="60 x 40 pixels"):
        EMPTY.with_point(x, y, label=1, most_points=9)


def test_objects_and_points_are_limited() -> None:
    full = EMPTY.with_point(1, 1, label=1, most_points=1)
    with pytest.raises(PromptError, match="at most 1 point"):
        full.with_point(2, 2, label=1, most_points=1)
    with pytest.raises(PromptError, match="at most 1 object"):
        full.with_box((0, 0, 9, 9), most_objects=1)
    with pytest.raises(PromptError, match="at most 1 object"):
        full.with_new(most_objects=1)


def test_undo_goes_back_one_change_at_a_time_with_the_masks_of_then() -> None:
    one = pointed(EMPTY)
    two = pointed(one, 9, 9, label=0)
    other = two.choosing(0)
    assert other.undone().current.chosen == 1
    assert other.undone().undone().masks.rles == one.masks.rles
    assert other.undone().undone().undone().current.is_empty
    assert other.cleared().undone().current.chosen == 0


def test_a_mask_that_is_not_there_cannot_be_chosen() -> None:
    for targets, index in ((EMPTY, 0), (pointed(EMPTY), 3), (pointed(EMPTY), -1)):
        with pytest.raises(PromptError, match="no such mask"):
            targets.choosing(index)


def test_several_objects_keep_their_numbers_and_colours() -> None:
    targets = pointed(pointed(EMPTY).with_new(most_objects=9), 20, 20)
    targets = pointed(targets.with_new(most_objects=9), 30, 30)
    assert [target.number for target in targets.shown] == [1, 2, 3]
    fewer = targets.selecting(2).without_current()
    assert [target.number for target in fewer.shown] == [1, 3]
    assert fewer.current.number == 1
    assert (colours_of([1, 3]) == label_colours(3)[[0, 2]]).all()
    assert len(colours_of([])) == 0
    assert len(fewer.masks) == 2
    assert len(fewer.undone().shown) == 3


def test_an_empty_object_is_not_left_behind() -> None:
    targets = pointed(EMPTY).with_new(most_objects=9)
    assert len(targets.objects) == 2
    assert targets.with_new(most_objects=9) is targets
    assert len(targets.selecting(1).objects) == 1
    with pytest.raises(PromptError, match="no object 7"):
        targets.selecting(7)


def test_the_last_object_can_be_removed_too() -> None:
    assert pointed(EMPTY).without_current().current.is_empty


def test_memory_counts_what_undo_would_bring_back_once() -> None:
    one = pointed(EMPTY)
    assert one.nbytes > 0
    assert one.cleared().nbytes == one.nbytes == one.with_new(most_objects=9).nbytes


def test_masks_go_to_the_object_that_was_asked_about_wherever_it_is() -> None:
    asked = EMPTY.with_point(5, 6, label=1, most_points=9)
    later = asked.with_new(most_objects=9).with_point(9, 9, label=1, most_points=9)
    answered = later.answered(masks(0.5, 0.9, 0.1), target=asked.current)
    assert [target.number for target in answered.shown] == [1]
    assert answered.current.number == 2
    assert [target.number for target in answered.undone().undone().shown] == [1]
    assert not answered.undone().undone().undone().holds(asked.current)


def test_of_two_points_in_a_row_the_first_has_its_masks_where_undo_brings_it_back() -> None:
    first = EMPTY.with_point(5, 6, label=1, most_points=9)
    both = first.with_point(9, 9, label=1, most_points=9).answered(masks(0.5, 0.9, 0.1), target=first.current)
    assert both.current.candidates is None
    assert both.undone().current.chosen == 1


def test_a_mask_of_an_object_that_is_not_active_can_be_chosen_and_a_point_meanwhile_waits_for_others() -> (
    None
):
    two = pointed(EMPTY).with_box((0, 0, 8, 8), most_objects=9)
    chosen = two.choosing(2, number=1)
    assert (chosen.objects[0].chosen, chosen.active) == (2, 1)
    assert chosen.undone().objects[0].chosen == 1
    assert two.choosing(0) is two


def test_a_step_can_go_from_the_middle() -> None:
    first = pointed(EMPTY)
    failed = first.with_box((0, 0, 8, 8), most_objects=9)
    later = pointed(failed.with_new(most_objects=9))
    left = later.without_step(failed.current)
    assert [target.number for target in left.objects] == [1, 3]
    assert left.current.number == 3
    assert [len(left.undone().objects), len(left.undone().undone().objects)] == [2, 1]
    assert failed.without_step(failed.current).objects == first.objects
    assert first.without_step(failed.current) is first
