"""What the buttons do, on a segmenter without a model: no browser, no components."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.errors import InvalidImageError, UnknownModelError, WeightsError
from mobilesamv2.web import handlers
from mobilesamv2.web.handlers import CompareView, Models, SegmentView, Step

from .fakes import FakeSegmenter, loader, script


class Fake:
    """Models with one fake in them, and its script."""

    def __init__(self, **changed: Any) -> None:
        self.script = SimpleNamespace(**script(**changed))
        self.models = Models(loader(self.script), names=("nano", "mobilesam"), first="nano")

    def segment(
        self, photo: Any, sampler: str = "object-aware", max_prompts: int = 320
    ) -> Generator[Any, None, None]:
        run = partial(handlers.run_segment, self.models)
        return handlers.segment(str(photo), sampler, max_prompts, "nano", run=run, display_side=64)

    def compare(self, photo: Any) -> Generator[Any, None, None]:
        run = partial(handlers.run_compare, self.models)
        return handlers.compare(str(photo), 320, 8, "nano", run=run, display_side=64)


@pytest.fixture
def wide_photo(tmp_path: Path) -> Path:
    path = tmp_path / "wide.png"
    Image.fromarray(np.full((60, 120, 3), 128, dtype=np.uint8)).save(path)
    return path


def test_a_run_gives_steps_and_then_an_overlay_with_numbers(wide_photo: Path) -> None:
    *steps, view = Fake(finds=5).segment(wide_photo)
    assert [step.stage for step in steps] == ["read", "encode", "discover", "decode", "draw"]
    assert isinstance(view, SegmentView)
    assert view.overlay.shape == (32, 64, 3)  # for display, with the photo's proportions
    assert view.summary["picture_size"] == [120, 60]
    assert view.summary["overlay_size"] == [64, 32]
    assert (view.summary["masks"], view.summary["prompts"], view.summary["hint"]) == (5, 5, None)
    assert view.summary["total_seconds"] == pytest.approx(sum(view.summary["seconds"].values()), abs=1e-3)


def test_a_small_photo_is_not_enlarged(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.fromarray(np.zeros((10, 20, 3), dtype=np.uint8)).save(path)
    *_, view = Fake().segment(path)
    assert view.overlay.shape == (10, 20, 3)


def test_the_prompt_budget_reaches_the_sampler(wide_photo: Path) -> None:
    fake = Fake(finds=50)
    for sampler, budget in (("object-aware", 16), ("grid", 30)):
        assert list(fake.segment(wide_photo, sampler, budget))
    assert fake.script.asked == (("object-aware", 16), ("grid", 25))


def test_no_objects_are_a_result_with_a_hint(wide_photo: Path) -> None:
    *_, view = Fake(finds=0).segment(wide_photo)
    assert view.summary["masks"] == 0
    assert "grid search" in view.summary["hint"]


def test_a_comparison_gives_equal_pictures_with_and_without_prompts(wide_photo: Path) -> None:
    *_, view = Fake(finds=5).compare(wide_photo)
    assert isinstance(view, CompareView)
    pictures = [*view.overlays, *view.with_prompts]
    assert {picture.shape for picture in pictures} == {(32, 64, 3)}
    for plain, prompted in zip(view.overlays, view.with_prompts, strict=True):
        assert not np.array_equal(plain, prompted)
    assert view.summary["grid"]["prompts"] == 64
    assert view.summary["object_aware"]["prompts"] == 5
    assert view.summary["speedup"] > 1
    assert "faster" in view.summary["verdict"]


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_summaries_are_plain_json(start: Callable[..., Any], wide_photo: Path) -> None:
    *_, view = start(Fake(finds=0), wide_photo)
    assert json.loads(json.dumps(view.summary, allow_nan=False)) == view.summary


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_closing_a_run_stops_the_models_work(start: Callable[..., Any], wide_photo: Path) -> None:
    fake = Fake(finds=100)
    items = start(fake, wide_photo)
    while next(items).stage != "decode":
        pass
    items.close()
    assert (fake.script.started, fake.script.closed) == (1, 1)


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_closing_a_paced_run_stops_the_models_work_too(start: Callable[..., Any], wide_photo: Path) -> None:
    fake = Fake(finds=100)
    items = handlers.paced(start(fake, wide_photo))
    while next(items).stage != "decode":
        pass
    items.close()
    assert fake.script.closed == 1


@pytest.mark.parametrize("photo", [None, ""])
def test_a_run_without_a_photo_says_what_to_do(photo: str | None) -> None:
    items = handlers.segment(
        photo, "grid", 16, "nano", run=partial(handlers.run_segment, Fake().models), display_side=64
    )
    with pytest.raises(InvalidImageError, match="drop one"):
        list(items)


def test_no_model_is_asked_about_a_file_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    fake = Fake()
    with pytest.raises(InvalidImageError, match=r"notes\.png"):
        list(fake.segment(path))
    assert fake.script.started == 0


def test_pacing_leaves_out_what_follows_too_soon_but_neither_a_new_stage_nor_the_view() -> None:
    view = SegmentView(overlay=np.zeros((1, 1, 3), dtype=np.uint8), summary={})
    clock = iter([0.0, 0.1, 0.3, 0.3, 0.3, 0.35]).__next__
    items = [Step("decode", 0), Step("decode", 1), Step("decode", 2), Step("filter"), view]

    def given() -> Generator[Any, None, None]:
        yield from items

    paced = list(handlers.paced(given(), seconds=0.2, now=clock))
    assert paced == [items[0], items[2], items[3], view]


def test_models_are_loaded_once_and_when_asked_for() -> None:
    asked: list[str] = []

    def load(name: str) -> FakeSegmenter:
        asked.append(name)
        return FakeSegmenter(SimpleNamespace(**script()), name=name)

    models = Models(load, names=("nano", "other"), first="nano")  # type: ignore[arg-type]
    assert asked == ["nano"]
    assert models.get("other") is models.get("other")
    assert asked == ["nano", "other"]


def test_a_first_model_that_cannot_be_had_gives_way_to_the_embedded_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = Models(loader(SimpleNamespace(**script())), names=("nano", "mobilesam"), first="mobilesam")
    assert models.first == "nano"
    assert "could not be fetched" in caplog.text


def test_a_model_that_cannot_be_had_raises_and_the_embedded_one_goes_on() -> None:
    models = Fake().models
    with pytest.raises(WeightsError, match="could not be fetched"):
        models.get("mobilesam")
    assert models.get("nano").name == "nano"


def test_models_that_cannot_be_had_leave_the_menu_where_all_are_loaded_at_once() -> None:
    load = loader(SimpleNamespace(**script()))
    assert Models(load, names=("nano", "mobilesam"), first="nano", load_all=True).names == ("nano",)


def test_a_name_that_is_not_on_the_menu_is_refused() -> None:
    with pytest.raises(UnknownModelError, match="choose one of nano"):
        Fake().models.get("sam-vit-x")
