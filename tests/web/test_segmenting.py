"""Segment everything on a segmenter without a model: no browser, no components."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.request import Request
from mobilesamv2.results import PartialMasks, SegmentationResult
from mobilesamv2.web.segmenting import RawRequest, run_raw

from .fakes import Fake


def test_a_run_gives_progress_and_then_the_result(wide_photo: Path) -> None:
    *steps, result = Fake(finds=5).segment(wide_photo)
    assert list(dict.fromkeys(step.stage for step in steps)) == ["encode", "discover", "decode"]
    assert isinstance(result, SegmentationResult)
    assert (len(result.masks), len(result.prompts), result.masks.size_hw) == (5, 5, (60, 120))


def test_masks_come_as_the_model_gives_them_and_not_in_pieces_of_the_page(wide_photo: Path) -> None:
    fake = Fake(finds=50)
    picture = fake.job.session.picture(str(wide_photo))
    items = run_raw(fake.models, picture, None, RawRequest(Request(), skip=10), "nano")
    parts = [item for item in items if isinstance(item, PartialMasks)]
    assert [len(part.prompts) for part in parts] == [8, 8, 8, 8, 8]  # chunks of the fake model
    assert fake.script.started == 1
    assert fake.script.asked == (("object-aware", 40),)


def test_the_prompt_budget_reaches_the_sampler(wide_photo: Path) -> None:
    fake = Fake(finds=50)
    for sampler, budget in (("object-aware", 16), ("grid", 30)):
        assert list(fake.segment(wide_photo, Request(sampler, max_prompts=budget)))
    assert fake.script.asked == (("object-aware", 16), ("grid", 25))


def test_no_model_is_asked_about_a_file_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    fake = Fake()
    with pytest.raises(InvalidImageError, match=r"notes\.png"):
        list(fake.segment(path))
    assert fake.script.started == 0


def test_a_second_run_on_a_photo_does_not_encode_it_again(wide_photo: Path) -> None:
    fake = Fake()
    for sampler in ("object-aware", "grid", "object-aware"):
        list(fake.segment(wide_photo, Request(sampler, max_prompts=16)))
    list(fake.compare(wide_photo))
    assert (fake.script.encoded, fake.script.started) == (1, 5)
