"""What runs of a model have in common, on a segmenter without a model: no browser, no components."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.images import read_image
from mobilesamv2.request import Request
from mobilesamv2.results import PartialMasks, SegmentationResult
from mobilesamv2.types import Prompts
from mobilesamv2.web.everything import segment_everything
from mobilesamv2.web.mask_views import ViewRequest
from mobilesamv2.web.prompting import Objects
from mobilesamv2.web.runs import Everything
from mobilesamv2.web.steps import last
from tests import tiny

from .fakes import Fake

BOXES, GRID = Request(max_prompts=16), Request("grid", max_prompts=30)


def test_a_run_tells_how_far_it_is_and_then_gives_the_result(wide_photo: Path) -> None:
    *steps, result = Fake(finds=5).segment(wide_photo)
    assert [step.stage for step in steps] == ["encode", "discover", "decode"]
    assert isinstance(result, SegmentationResult)
    record = result.to_record()
    assert (record["masks"], record["prompts"]) == (5, 5)
    assert record["image"].items() >= {"width": 120, "height": 60}.items()


def test_the_prompt_budget_reaches_the_sampler(wide_photo: Path) -> None:
    fake = Fake(finds=50)
    for request in (BOXES, GRID):
        assert list(fake.segment(wide_photo, request))
    assert fake.script.asked == (("object-aware", 16), ("grid", 25))


def test_no_model_is_asked_about_a_file_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    fake = Fake()
    with pytest.raises(InvalidImageError, match=r"notes\.png"):
        list(fake.segment(path))
    assert fake.script.started == 0


def test_a_run_without_a_photo_says_what_to_do() -> None:
    with pytest.raises(InvalidImageError, match="drop one"):
        list(Fake().segment(""))


def test_a_second_run_on_a_photo_does_not_encode_it_again(wide_photo: Path) -> None:
    fake = Fake()
    for request in (BOXES, GRID, BOXES):
        list(fake.segment(wide_photo, request))
    list(fake.compare(wide_photo))
    assert (fake.script.encoded, fake.script.started) == (1, 5)


def test_masks_come_as_the_model_gives_them_and_not_in_pieces_of_the_page(wide_photo: Path) -> None:
    fake = Fake(finds=50)
    picture = fake.job.session.picture(str(wide_photo))
    items = fake.on_model(picture, None, Everything(Request(), is_raw=True, skip=10), "nano")
    parts = [item for item in items if isinstance(item, PartialMasks)]
    assert [len(part.prompts) for part in parts] == [8, 8, 8, 8, 8]  # chunks of the fake model
    assert fake.script.started == 1
    assert fake.script.asked == (("object-aware", 40),)


def test_the_embedding_of_the_photo_at_hand_is_not_taken_for_another_picture(
    wide_photo: Path, other_photo: Path
) -> None:
    fake = Fake()
    list(fake.segment(wide_photo))
    given = []

    def run(picture: object, stored: object, asked: object, model: str) -> Generator[Any, None, None]:
        given.append(stored)
        yield from ()

    session = fake.job.session
    # A batch has pictures of its own.
    for picture in (session.picture(str(wide_photo)), read_image(other_photo)):
        list(fake.job.follow(run, picture, Everything(BOXES), "nano"))
    assert [stored is None for stored in given] == [False, True]


def test_every_record_says_that_a_dim_picture_was_brightened(tmp_path: Path) -> None:
    dim = np.linspace(0, 4095, 120 * 60).reshape(60, 120).astype(np.uint16)
    Image.fromarray(dim).save(tmp_path / "dim.png")
    Image.fromarray(tiny.picture()).save(tmp_path / "plain.png")
    for name, scaled in (("dim.png", True), ("plain.png", False)):
        photo, fake = str(tmp_path / name), Fake()
        wanted = ViewRequest(BOXES, model="nano")
        asked = Objects([Prompts(boxes_xyxy=np.array([[5, 5, 30, 30]], dtype=np.float32))])
        *_, result = fake.segment(photo)
        view = last(segment_everything(fake.job, photo, wanted, run=fake.on_model, side=64))
        *_, compared = fake.compare(photo)
        predicted = last(fake.job.follow(fake.on_model, fake.job.read(photo), asked, "nano"))
        records = [result.to_record(), view.summary, *compared.records(), predicted.to_record()]
        assert [record["image"]["scaled_to_own_range"] for record in records] == [scaled] * 5
