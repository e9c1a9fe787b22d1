"""The *Segment everything* tab without a browser: runs, looks, one mask, the first example; nobody sees another's."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilesamv2.comparison.matching import match_masks
from mobilesamv2.errors import InvalidImageError, MobileSamError
from mobilesamv2.filters import ViewFilters
from mobilesamv2.progress import Progress
from mobilesamv2.request import Request
from mobilesamv2.web import everything
from mobilesamv2.web.everything import FirstExample, MasksView, MaskView
from mobilesamv2.web.jobs import Job
from mobilesamv2.web.mask_views import ViewRequest, label_picture
from mobilesamv2.web.sessions import Session
from mobilesamv2.web.steps import last

from .fakes import Fake, boxes, discs

SIDE = 64


def ask(prompts: int = 320, sampler: str = "object-aware", **view: Any) -> ViewRequest:
    own = view.pop("own_filters", True)
    request = Request(sampler, max_prompts=prompts, view=ViewFilters(**view))
    return ViewRequest(request, model="nano", own_filters=own)


class Page(Fake):
    """A fake page with one visitor."""

    def __init__(self, **changed: Any) -> None:
        super().__init__(**changed)
        self.session = Session()
        self.number = 0

    def run(self, photo: Any, wanted: ViewRequest) -> Generator[Any, None, None]:
        self.number += 1
        job = Job.take(self.session, self.number, self.session.runs, "segment")
        assert job is not None
        path = None if photo is None else str(photo)
        return everything.segment_everything(job, path, wanted, run=self.on_model, side=SIDE)

    def view(self, photo: Any, wanted: ViewRequest) -> MasksView:
        view = last(self.run(photo, wanted))
        assert isinstance(view, MasksView)
        return view

    def again(self, wanted: ViewRequest) -> MasksView | None:
        return everything.view_again(self.session, self.session.photo, wanted, side=SIDE)

    def cancelled(self, photo: Any, wanted: ViewRequest) -> Any:
        """The last item of a run that is cancelled as soon as it shows masks."""
        running = self.run(photo, wanted)
        while not isinstance(item := next(running), MasksView):
            pass
        self.session.runs.cancel(self.number)
        return next(iter(list(running)[-1:]), item)

    def example(self, example: FirstExample, session: Session, photo: Any) -> Any:
        return example.steps(session, str(photo), ask(), run=self.on_model, side=SIDE)


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks are shown after each chunk."""
    monkeypatch.setattr(everything, "_SECONDS_BETWEEN_VIEWS", 0.0)


def summary(view: MasksView | None) -> dict[str, Any]:
    assert view is not None
    assert view.summary is not None
    return view.summary


def ids(view: MasksView) -> Any:
    return view.labels[..., 0].astype(int) + 256 * view.labels[..., 1].astype(int)


def test_a_run_gives_steps_and_then_the_picture_with_everything_about_it(wide_photo: Path) -> None:
    *steps, view = Page(finds=5).run(wide_photo, ask())
    assert [step.stage for step in steps][:2] == ["read", "encode"]
    assert steps[-1].stage == "draw"
    assert view.size_wh == (120, 60)
    assert view.picture.shape == view.labels.shape == (32, 64, 3)
    assert len(view.colours) == len(set(view.colours)) == len(view.rows) == 5
    assert summary(view)["masks"] == 5
    assert 0 < summary(view)["coverage"] < 1
    assert set(np.unique(ids(view))) <= set(range(6))
    assert json.loads(json.dumps(summary(view), allow_nan=False)) == summary(view)


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize("sampler", ["object-aware", "grid"])
def test_masks_are_shown_as_they_come(wide_photo: Path, sampler: str) -> None:
    views = [item for item in Page(finds=40).run(wide_photo, ask(49, sampler)) if isinstance(item, MasksView)]
    assert len(views) > 1
    assert len(views[0].colours) < 40
    assert (views[0].rows, views[0].summary, views[0].edition) == (None, None, "")
    assert views[-1].colours[: len(views[0].colours)] == views[0].colours


def test_fewer_prompts_are_answered_at_once_and_more_ask_only_the_rest(wide_photo: Path) -> None:
    page = Page(finds=50)
    page.view(wide_photo, ask(32))
    assert summary(page.again(ask(16)))["prompts"] == 16
    assert page.script.started == 1
    more = summary(page.again(ask(48)))
    assert (more["prompts"], more["can_answer"]) == (32, False)
    assert summary(page.view(wide_photo, ask(48)))["prompts"] == 48
    assert page.script.asked == (("object-aware", 32), ("object-aware", 16))
    assert page.script.encoded == 1


@pytest.mark.usefixtures("no_pause")
def test_a_cancelled_run_shows_and_keeps_its_boxes_and_the_next_asks_the_rest(wide_photo: Path) -> None:
    page = Page(finds=50)
    left = summary(page.cancelled(wide_photo, ask()))
    assert (left["prompts"], left["can_answer"], left["is_complete"]) == (8, False, False)
    assert summary(page.again(ask())) == left
    assert summary(page.view(wide_photo, ask()))["prompts"] == 50
    assert page.script.asked[-1] == ("object-aware", 42)


@pytest.mark.usefixtures("no_pause")
def test_a_cancelled_grid_leaves_nothing(wide_photo: Path) -> None:
    page = Page()
    assert page.cancelled(wide_photo, ask(256, "grid")).summary is None
    assert page.again(ask(256, "grid")) is None


@pytest.mark.usefixtures("no_pause")
def test_nothing_is_shown_or_kept_of_a_photo_that_is_gone(wide_photo: Path, tmp_path: Path) -> None:
    page, other = Page(finds=50), tmp_path / "other.png"
    other.write_bytes(wide_photo.read_bytes())
    running = page.run(wide_photo, ask())
    while not isinstance(next(running), MasksView):
        pass
    page.session.runs.drop(2)
    assert list(running) == []
    assert page.again(ask()) is None


def test_a_thing_keeps_its_colour_where_another_sampler_finds_it_too(wide_photo: Path) -> None:
    page = Page(finds=100)
    page.view(wide_photo, ask())
    known = page.session.get(everything.VIEW)
    grid = page.view(wide_photo, ask(64, "grid"))
    points = page.session.get(everything.VIEW)
    pairs = match_masks(known.masks, points.masks).pairs
    assert len(pairs)
    assert known.numbers[pairs[:, 0]].tolist() == points.numbers[pairs[:, 1]].tolist()
    assert len(set(points.numbers)) == len(points.numbers)
    assert len(grid.colours) == len(points.numbers)
    again = page.again(ask())
    assert again is not None
    back = page.session.get(everything.VIEW)
    assert back.numbers.tolist() == known.numbers.tolist()


def test_a_larger_grid_is_asked_anew(wide_photo: Path) -> None:
    page = Page()
    page.view(wide_photo, ask(16, "grid"))
    page.view(wide_photo, ask(64, "grid"))
    assert page.script.asked == (("grid", 16), ("grid", 64))


def test_a_run_that_is_answered_already_asks_nothing(wide_photo: Path) -> None:
    page = Page(finds=12)
    page.view(wide_photo, ask(320))
    page.view(wide_photo, ask(1024))  # the detector found fewer than it was allowed
    assert page.script.started == 1


def test_filters_work_on_what_is_decoded(wide_photo: Path) -> None:
    page = Page(finds=40)
    whole = page.view(wide_photo, ask())
    assert whole.rows is not None
    shares = sorted(row[2] or 0 for row in whole.rows)
    half = page.again(ask(min_area_percent=100 * (shares[19] + shares[20]) / 2))
    assert half is not None
    assert half.rows is not None
    assert len(half.rows) == 20
    by_number = {row[0]: colour for row, colour in zip(whole.rows, whole.colours, strict=True)}
    assert [by_number[row[0]] for row in half.rows] == half.colours  # colours stay
    for filters in (
        {"min_predicted_iou": 0.7},
        {"min_stability": 0.7},
        {"mask_nms": 0.2},
        {"hide_nested": True},
    ):
        assert 0 < summary(page.again(ask(**filters)))["masks"] < 40
    assert summary(page.again(ask(min_predicted_iou=1.0)))["hint"].startswith("None of the 40 masks")
    assert page.script.started == 1


def test_each_pixel_to_one_mask_changes_no_pixel_of_the_picture_and_keeps_the_coverage(
    wide_photo: Path,
) -> None:
    page = Page(finds=40)
    whole = page.view(wide_photo, ask())
    apart = page.again(ask(flatten=True))
    assert apart is not None
    assert apart.rows is not None
    assert summary(apart)["coverage"] == summary(whole)["coverage"]
    found = page.session.get(everything.VIEW)
    assert found.masks.coverage == pytest.approx(found.masks.areas.sum() / (60 * 120))


def test_one_mask_alone_comes_with_its_box_and_the_prompt_that_made_it(wide_photo: Path) -> None:
    page = Page(finds=5)
    view = page.view(wide_photo, ask())
    one = everything.pick(page.session, view.edition, 2, side=SIDE)
    assert isinstance(one, MaskView)
    assert view.rows is not None
    assert one.mask["number"] == view.rows[2][0]
    assert one.mask["area"] == view.rows[2][1]
    assert set(np.unique(one.picture)) == {0, 255}
    x0, y0, x1, y1 = one.mask["prompt"]["box"]
    bx0, by0, bx1, by1 = one.mask["box"]
    assert x0 - 1 <= bx0 < bx1 <= x1 + 1
    assert y0 - 1 <= by0 < by1 <= y1 + 1
    assert json.dumps(one.mask, allow_nan=False)


def test_a_point_is_told_where_one_made_the_mask(wide_photo: Path) -> None:
    page = Page()
    view = page.view(wide_photo, ask(16, "grid"))
    one = everything.pick(page.session, view.edition, 0, side=SIDE)
    assert one is not None
    assert one.mask["prompt"]["box"] is None
    assert len(one.mask["prompt"]["points"]) == 1


@pytest.mark.parametrize(("edition", "index"), [("older", 0), (None, 99), (None, -1)])
def test_a_click_on_something_older_is_not_answered(wide_photo: Path, edition: str | None, index: int) -> None:
    page = Page(finds=5)
    view = page.view(wide_photo, ask())
    assert everything.pick(page.session, edition or view.edition, index, side=SIDE) is None


def test_a_click_on_what_is_no_longer_kept_is_told_in_a_sentence() -> None:
    with pytest.raises(MobileSamError, match="no longer kept"):
        everything.pick(Session(), "any", 0, side=SIDE)


def test_another_visitor_has_nothing_to_look_at(wide_photo: Path) -> None:
    page = Page(finds=5)
    view = page.view(wide_photo, ask())
    other = Session()
    assert everything.view_again(other, str(wide_photo), ask(), side=SIDE) is None
    with pytest.raises(MobileSamError):
        everything.pick(other, view.edition, 0, side=SIDE)


def test_without_a_photo_the_example_is_taken_if_it_is_seen(wide_photo: Path, tmp_path: Path) -> None:
    page = Page(finds=5)
    with pytest.raises(InvalidImageError, match="no photo yet"):
        page.view(None, ask())
    page.session = Session()
    last(page.example(FirstExample(), page.session, wide_photo))
    assert summary(page.view(None, ask(5)))["prompts"] == 5
    other = tmp_path / "other.png"
    other.write_bytes(wide_photo.read_bytes())
    page.view(other, ask(2))
    with pytest.raises(InvalidImageError, match="no photo yet"):
        page.view(None, ask(5))


def test_what_is_decoded_of_another_photo_is_not_looked_at(wide_photo: Path, tmp_path: Path) -> None:
    page = Page(finds=5)
    page.view(wide_photo, ask())
    for other in (None, str(tmp_path / "other.png")):
        assert everything.view_again(page.session, other, ask(), side=SIDE) is None


@pytest.mark.parametrize("finds", [0, 1])
def test_all_filters_take_no_masks(wide_photo: Path, finds: int) -> None:
    wanted = ask(own_filters=False, flatten=True, hide_nested=True, mask_nms=0.5, min_predicted_iou=1.0)
    view = Page(finds=finds).view(wide_photo, wanted)
    assert (view.rows, view.colours) == ([], [])
    assert summary(view)["hint"]


def test_the_first_example_is_made_once_and_shown_to_everybody(wide_photo: Path) -> None:
    page, example = Page(finds=5), FirstExample()
    first, second, busy = Session(), Session(), Session()
    assert example.shown_to(first, str(wide_photo), ask(), side=SIDE) is None
    made = last(page.example(example, first, wide_photo))
    kept = example.shown_to(second, str(wide_photo), ask(), side=SIDE)
    assert summary(kept) == summary(made)
    assert page.script.started == page.script.encoded == 1
    assert second.embedding("nano") is not None
    busy.picture(str(wide_photo))
    assert example.shown_to(busy, str(wide_photo), ask(), side=SIDE) is None
    assert list(page.example(example, busy, wide_photo)) == []


def test_visitors_who_come_early_wait_for_the_one_first_example(wide_photo: Path) -> None:
    page, example = Page(finds=5), FirstExample()
    visitors = [page.example(example, Session(), wide_photo) for _ in range(5)]
    assert [next(visitor) for visitor in visitors] == [Progress("read"), *[Progress("wait")] * 4]
    views = [last(visitor) for visitor in visitors]
    assert all(summary(view) == summary(views[0]) for view in views)
    assert page.script.started == page.script.encoded == 1


def test_the_next_visitor_makes_the_first_example_where_the_one_before_wants_something_else(
    wide_photo: Path,
) -> None:
    page, example, first = Page(finds=5), FirstExample(), Session()
    making, waiting = page.example(example, first, wide_photo), page.example(example, Session(), wide_photo)
    assert (next(making), next(waiting)) == (Progress("read"), Progress("wait"))
    first.runs.drop(1)  # a photo was chosen
    assert list(making) == []
    assert summary(last(waiting))["masks"] == 5


def test_masks_may_number_more_than_a_byte_can_tell() -> None:
    masks = discs(np.zeros((40, 40, 3), dtype=np.uint8), boxes(np.zeros((40, 40, 3), dtype=np.uint8), 600))
    seen = label_picture(masks, (40, 40)).astype(int)
    assert (seen[..., 0] + 256 * seen[..., 1]).max() > 255
    assert (seen[..., 2] == 0).all()
