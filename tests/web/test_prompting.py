"""What *Point and box* does, on a tiny model without a page."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.errors import InvalidImageError, PromptError
from mobilesamv2.web import prompting
from mobilesamv2.web.models import Models
from mobilesamv2.web.places import targets_of
from mobilesamv2.web.prompting import Limits, PromptView
from mobilesamv2.web.steps import HasStage, last
from mobilesamv2.web.targets import Targets
from mobilesamv2.web.text import prompting as text
from mobilesamv2.web.visits import Visit
from tests.tiny import picture, tiny_segmenter

MODELS = Models(lambda name: tiny_segmenter(), names=("tiny", "nano"), first="tiny")
LIMITS = Limits(objects=5, points=5)
POINT = {"kind": "point", "x": 20.5 / 60, "y": 15.5 / 40, "label": 1}
BOX = {"kind": "box", "corners": [10 / 60, 10 / 40, 50 / 60, 38 / 40]}


@pytest.fixture
def photo(tmp_path: Path) -> str:
    path = tmp_path / "photo.png"
    Image.fromarray(picture()).save(path)
    return str(path)


def steps(
    visit: Visit, photo: str | None, placed: dict[str, Any], **options: Any
) -> Generator[Any, None, None]:
    run = partial(prompting.run_predict, MODELS)
    return prompting.place(
        visit, photo, placed, "tiny", **{"run": run, "limits": LIMITS, "display_side": 30} | options
    )


def place(visit: Visit, photo: str | None, placed: dict[str, Any], **options: Any) -> PromptView:
    view = last(steps(visit, photo, placed, **options))
    assert isinstance(view, PromptView)
    return view


def change(visit: Visit, photo: str, changed: Callable[[Targets], Targets]) -> PromptView:
    return prompting.change(visit, photo, changed, display_side=30)


def test_one_click_gives_three_masks_with_their_predicted_ious_and_shows_the_surest(photo: str) -> None:
    view = place(Visit(), photo, POINT)
    assert len(view.candidates) == 3
    ious = [candidate["predicted_iou"] for candidate in view.candidates]
    assert view.chosen == int(np.argmax(ious))
    (shown,) = view.objects
    assert shown["predicted_iou"] == ious[view.chosen]
    assert shown["places"] == [(pytest.approx(20.5 / 60, abs=0.001), pytest.approx(15.5 / 40, abs=0.001), 1)]
    assert view.layer is not None
    assert view.layer.shape == (20, 30, 4)


def test_the_masks_are_those_of_the_library(photo: str) -> None:
    visit, model = Visit(), tiny_segmenter()
    place(visit, photo, BOX)
    place(visit, photo, POINT)
    expected = model.predict(
        model.encode(picture()), boxes=[[10, 10, 50, 38]], points=[[[20, 15]]], labels=[[1]]
    )
    assert targets_of(visit, visit.picture(photo)).masks.rles == expected.rles


def test_what_is_typed_gives_the_masks_of_what_is_pointed_at(photo: str) -> None:
    pointing, typing = Visit(), Visit()
    for visit in (pointing, typing):
        place(visit, photo, BOX)
    place(pointing, photo, POINT)
    options = {"run": partial(prompting.run_predict, MODELS), "limits": LIMITS, "display_side": 30}
    view = last(prompting.place_typed(typing, photo, "20, 15", "on", "tiny", **options))
    assert view.objects[0]["places"] == [((20 + 0.5) / 60, (15 + 0.5) / 40, 1)]
    pointed, typed = (targets_of(visit, visit.picture(photo)) for visit in (pointing, typing))
    assert typed.objects[0].points == pointed.objects[0].points
    assert typed.masks.rles == pointed.masks.rles
    last(prompting.place_typed(typing, photo, "10 10 50 38", "on", "tiny", **options))
    boxes = [target.box for target in targets_of(typing, typing.picture(photo)).objects]
    assert boxes == [(10, 10, 50, 38)] * 2


@pytest.mark.parametrize("words", ["60, 10", "-1, 4", "inf, 3", "70, 0, 90, 20"])
def test_what_is_typed_has_to_lie_on_the_photo(photo: str, words: str) -> None:
    options = {"run": partial(prompting.run_predict, MODELS), "limits": LIMITS, "display_side": 30}
    with pytest.raises(PromptError):
        last(prompting.place_typed(Visit(), photo, words, "on", "tiny", **options))


def test_the_photo_is_encoded_once_for_all_clicks(photo: str) -> None:
    visit = Visit()
    told = [
        [item.stage for item in steps(visit, photo, placed) if isinstance(item, HasStage)]
        for placed in (POINT, BOX, POINT)
    ]
    assert told == [["read", "encode", "decode"], ["read", "decode"], ["read", "decode"]]
    assert place(visit, photo, POINT).summary["encoded_now"] is False
    assert place(Visit(), photo, POINT).summary["encoded_now"] is True


def test_what_goes_to_a_lent_gpu_and_back_can_be_pickled() -> None:
    points, labels = np.array([[[20, 15]]], np.float32), np.array([[1]])
    items = list(prompting.run_predict(MODELS, picture(), None, None, points, labels, True, "tiny"))
    back = pickle.loads(pickle.dumps(items))
    assert isinstance(back[-1], prompting.Answer)
    assert len(back[-1].masks) == 3
    assert prompting.prompts_of_predict(picture(), None, None, points, labels, True, "tiny") == 1


def test_a_point_beside_an_object_alone_asks_nothing_and_says_why(photo: str) -> None:
    view = place(Visit(), photo, POINT | {"label": 0})
    assert (view.layer, view.summary, view.note) == (None, None, text.ONLY_BESIDE)
    assert view.objects[0]["area"] is None


def test_several_objects_each_have_a_colour_and_undo_needs_no_model(photo: str) -> None:
    visit = Visit()
    place(visit, photo, POINT)
    view = place(visit, photo, BOX)
    assert [shown["number"] for shown in view.objects] == [1, 2]
    assert len({shown["colour"] for shown in view.objects}) == 2
    assert [shown["active"] for shown in view.objects] == [False, True]
    assert len(view.candidates) == 1
    undone = change(visit, photo, Targets.undone)
    assert [shown["number"] for shown in undone.objects] == [1]
    assert len(undone.candidates) == 3
    cleared = change(visit, photo, Targets.cleared)
    assert (cleared.layer, cleared.candidates) == (None, [])


def test_another_of_the_masks_can_be_chosen(photo: str) -> None:
    visit = Visit()
    chosen = place(visit, photo, POINT).chosen
    other = (chosen + 1) % 3
    assert change(visit, photo, lambda targets: targets.choosing(other)).chosen == other


def test_another_photo_begins_anew(photo: str, tmp_path: Path) -> None:
    visit = Visit()
    place(visit, photo, POINT)
    Image.fromarray(picture(seed=3)).save(tmp_path / "other.png")
    view = place(visit, str(tmp_path / "other.png"), POINT)
    assert len(view.objects) == 1
    assert view.objects[0]["points"] == 1


def test_two_visitors_do_not_see_each_others_clicks(photo: str) -> None:
    ann, bob = Visit("ann"), Visit("bob")
    place(ann, photo, POINT)
    assert len(place(bob, photo, BOX).objects) == 1
    assert change(ann, photo, lambda targets: targets).objects[0]["box"] is False


def test_what_was_thrown_out_meanwhile_is_said(photo: str) -> None:
    visit = Visit()
    assert place(visit, photo, POINT | {"objects": 2}).note == text.LOST
    assert place(visit, photo, POINT | {"objects": 1}).note is None


def test_a_stopped_run_leaves_everything_as_it_was(photo: str) -> None:
    visit = Visit()
    running = steps(visit, photo, POINT)
    while next(running).stage != "decode":
        pass
    running.close()
    assert targets_of(visit, visit.picture(photo)).current.is_empty
    assert visit.embedding("tiny") is not None


@pytest.mark.parametrize(
    "placed",
    [
        {},
        {"kind": "circle"},
        {"kind": "point"},
        {"kind": "point", "x": "1", "y": 2},
        {"kind": "point", "x": float("nan"), "y": 2},
        {"kind": "point", "x": True, "y": 2},
        {"kind": "box", "corners": [1, 2, 3]},
        {"kind": "box", "corners": "1234"},
        {"kind": "box", "corners": [1, 2, 3, None]},
        {"kind": "point", "x": 1.2, "y": 0.5, "label": 1},
    ],
)
def test_what_is_no_place_on_the_photo_is_refused_in_a_sentence(photo: str, placed: dict[str, Any]) -> None:
    with pytest.raises(PromptError, match=r"\.$"):
        place(Visit(), photo, placed)


def test_no_photo_is_said() -> None:
    with pytest.raises(InvalidImageError, match="no photo yet"):
        place(Visit(), None, POINT)


def undo(visit: Visit, photo: str, *unanswered: str) -> PromptView:
    return prompting.undo(visit, photo, unanswered, display_side=30)


def note(visit: Visit, photo: str, placed: dict[str, Any]) -> None:
    prompting.note_place(visit, photo, placed, limits=LIMITS)


def points_of(view: PromptView) -> list[int]:
    return [shown["points"] for shown in view.objects]


def test_undo_takes_back_a_place_that_is_not_answered_yet_and_nothing_else(photo: str) -> None:
    visit = Visit()
    place(visit, photo, POINT | {"id": "first"})
    waiting = steps(visit, photo, POINT | {"id": "second"})
    next(waiting)
    assert points_of(undo(visit, photo, "second")) == [1]
    assert points_of(last(waiting)) == [1]  # its answer comes too late
    assert points_of(undo(visit, photo)) == [0]


def test_undo_takes_back_a_place_whose_answer_is_on_its_way_to_the_page(photo: str) -> None:
    visit = Visit()
    place(visit, photo, POINT | {"id": "first"})
    place(visit, photo, POINT | {"id": "second"})
    assert points_of(undo(visit, photo, "first", "second")) == [1]


def test_of_two_places_that_wait_undo_takes_back_the_later_one(photo: str) -> None:
    visit = Visit()
    first, second = (steps(visit, photo, POINT | {"id": name}) for name in ("first", "second"))
    next(first)
    assert points_of(undo(visit, photo, "first", "second")) == [0]
    assert points_of(last(first)) == [1]
    assert points_of(last(second)) == [1]


def test_clearing_takes_back_what_is_not_answered_yet(photo: str) -> None:
    visit = Visit()
    waiting = steps(visit, photo, POINT | {"id": "first"})
    next(waiting)
    view = prompting.change(visit, photo, Targets.cleared, unanswered=["first"], display_side=30)
    assert points_of(view) == points_of(last(waiting)) == [0]


def test_a_new_object_begins_at_once_and_later_places_belong_to_it(photo: str) -> None:
    visit = Visit()
    first, second = POINT | {"id": "first"}, POINT | {"id": "second"}
    note(visit, photo, first)
    view = change(visit, photo, lambda targets: targets.with_new(most_objects=5))
    assert (points_of(view), view.waiting) == ([1, 0], ("first",))
    note(visit, photo, second)
    assert points_of(place(visit, photo, first)) == [1, 1]  # the model comes to it only now
    view = place(visit, photo, second)
    assert (points_of(view), view.waiting) == ([1, 1], ())
    assert all(shown["area"] is not None for shown in view.objects)


def test_an_answer_leaves_the_object_that_was_chosen_meanwhile(photo: str) -> None:
    visit = Visit()
    place(visit, photo, BOX)
    change(visit, photo, lambda targets: targets.with_new(most_objects=5))
    waiting = steps(visit, photo, POINT)
    while next(waiting).stage != "decode":
        pass
    change(visit, photo, lambda targets: targets.selecting(1))
    view = last(waiting)
    assert [shown["active"] for shown in view.objects] == [True, False]
    assert [shown["area"] is not None for shown in view.objects] == [True, True]
    assert points_of(place(visit, photo, POINT)) == [1, 1]


def test_another_mask_can_be_chosen_while_a_box_waits(photo: str) -> None:
    visit = Visit()
    chosen = place(visit, photo, POINT).chosen
    other = (chosen + 1) % 3
    waiting = steps(visit, photo, BOX)
    while next(waiting).stage != "decode":
        pass
    change(visit, photo, lambda targets: targets.choosing(other, number=1))
    last(waiting)
    assert change(visit, photo, lambda targets: targets.selecting(1)).chosen == other


def test_undo_after_a_new_object_takes_that_back_and_not_the_place_that_waits(photo: str) -> None:
    visit = Visit()
    note(visit, photo, POINT | {"id": "first"})
    change(visit, photo, lambda targets: targets.with_new(most_objects=5))
    assert points_of(undo(visit, photo, "first")) == [1]
    assert last(steps(visit, photo, POINT | {"id": "first"})).objects[0]["area"] is not None


def test_a_place_that_is_undone_while_it_waits_is_not_asked_about(photo: str) -> None:
    visit = Visit()
    note(visit, photo, POINT | {"id": "first"})
    assert points_of(undo(visit, photo, "first")) == [0]
    told = list(steps(visit, photo, POINT | {"id": "first"}))
    assert points_of(told[-1]) == [0]
    assert visit.embedding("tiny") is None


def test_undo_brings_back_the_mask_that_came_after_it_was_cleared(photo: str) -> None:
    visit = Visit()
    note(visit, photo, POINT | {"id": "first"})
    assert points_of(change(visit, photo, Targets.cleared)) == [0]
    told = list(steps(visit, photo, POINT | {"id": "first"}))
    assert len(told) == 2  # nothing is said of what is out of sight
    assert undo(visit, photo).objects[0]["area"] is not None


def test_a_place_that_fails_is_gone_and_what_was_done_since_stays(photo: str) -> None:
    visit = Visit()
    place(visit, photo, BOX)
    note(visit, photo, POINT | {"id": "first"})
    change(visit, photo, lambda targets: targets.with_new(most_objects=5))

    def fail(*_: Any) -> Generator[Any, None, None]:
        raise PromptError("No.")
        yield

    with pytest.raises(PromptError):
        place(visit, photo, POINT | {"id": "first"}, run=fail)
    view = change(visit, photo, lambda targets: targets)
    assert (points_of(view), view.waiting) == ([0, 0], ())
    assert [shown["area"] is not None for shown in view.objects] == [True, False]
