"""What *Segment everything* does, on a segmenter without a model: no browser, no components."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.web import segmenting
from mobilesamv2.web.segmenting import SegmentView

from .fakes import Fake


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


def test_no_model_is_asked_about_a_file_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    fake = Fake()
    with pytest.raises(InvalidImageError, match=r"notes\.png"):
        list(fake.segment(path))
    assert fake.script.started == 0


@pytest.mark.parametrize("photo", [None, ""])
def test_a_run_without_a_photo_says_what_to_do(photo: str | None) -> None:
    fake = Fake()
    run = partial(segmenting.run_segment, fake.models)
    items = segmenting.segment(fake.visit, photo, "grid", 16, "nano", run=run, display_side=64)
    with pytest.raises(InvalidImageError, match="drop one"):
        list(items)


def test_a_second_run_on_a_photo_does_not_encode_it_again(wide_photo: Path) -> None:
    fake = Fake()
    for sampler in ("object-aware", "grid", "object-aware"):
        list(fake.segment(wide_photo, sampler, 16))
    list(fake.compare(wide_photo))
    assert (fake.script.encoded, fake.script.started) == (1, 5)
