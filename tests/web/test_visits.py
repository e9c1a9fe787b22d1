"""What is kept of each visitor, and that nobody else sees it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from mobilesamv2.web.visits import Visit, Visits, keeping
from PIL import Image

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.segmenter import Embedding
from mobilesamv2.stored import StoredEmbedding


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def visits(
    *, most: int = 8, most_bytes: int = 10**9, seconds: float = 60, clock: Clock | None = None
) -> Visits:
    return Visits(most=most, most_bytes=most_bytes, seconds=seconds, now=clock or Clock())


def stored(value: float = 0.0) -> StoredEmbedding:
    features = torch.full((1, 1, 2, 2), value)
    frame = ResizeLongestSide(size_hw=(60, 120), input_side=64)
    return StoredEmbedding.of(Embedding(features=features, kernel=None, frame=frame, timings={}))


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    Image.fromarray(np.full((10, 10, 3), 7, dtype=np.uint8)).save(path)
    return path


def test_a_key_names_one_visit_and_no_key_a_new_one() -> None:
    all_visits = visits()
    first = all_visits.of(None)
    assert all_visits.of(first.key) is first
    assert all_visits.of(None) is not first
    assert len(first.key) > 20


def test_a_key_that_nobody_was_given_is_no_way_in() -> None:
    all_visits = visits()
    made_up = all_visits.of("made up")
    assert made_up.key != "made up"


def test_a_photo_that_somebody_uploads_again_is_still_the_same(wide_photo: Path) -> None:
    visit = Visit("ann")
    picture = visit.picture(str(wide_photo))
    visit.keep("masks", 3, picture=picture)
    os.utime(wide_photo, (1, 1))
    assert visit.has(str(wide_photo))
    assert visit.picture(str(wide_photo)) is picture
    assert visit.get("masks") == 3


def test_only_the_example_is_seen_without_being_chosen(wide_photo: Path, tmp_path: Path) -> None:
    visit, other = Visit("ann"), tmp_path / "other.png"
    other.write_bytes(wide_photo.read_bytes())
    assert visit.seen(None) is None
    assert not visit.has(None)
    visit.example = str(wide_photo)
    visit.picture(str(wide_photo))
    assert visit.seen(None) == str(wide_photo)
    assert visit.has(None)
    assert not visit.has(str(other))
    visit.picture(str(other))
    assert visit.seen(None) is None
    assert visit.seen(str(other)) == str(other)


def test_a_picture_is_read_once_and_cannot_be_changed(wide_photo: Path) -> None:
    visit = Visit()
    picture = visit.picture(str(wide_photo))
    assert visit.picture(str(wide_photo)) is picture
    with pytest.raises(ValueError, match="read-only"):
        picture[0, 0] = 0


def test_another_picture_forgets_what_was_made_of_the_last_one(wide_photo: Path, other_file: Path) -> None:
    visit = Visit()
    picture = visit.picture(str(wide_photo))
    visit.keep_embedding("nano", stored(), picture=picture)
    visit.keep("masks", [1], picture=picture, nbytes=10)
    assert visit.embedding("nano") is not None
    assert visit.get("masks") == [1]
    visit.picture(str(other_file))
    assert visit.embedding("nano") is None
    assert visit.get("masks") is None


def test_what_comes_late_for_an_earlier_picture_is_not_kept(wide_photo: Path, other_file: Path) -> None:
    visit = Visit()
    before = visit.picture(str(wide_photo))
    visit.picture(str(other_file))
    visit.keep_embedding("nano", stored(), picture=before)
    visit.keep("masks", [1], picture=before)
    assert visit.embedding("nano") is None
    assert visit.get("masks") is None


def test_a_file_that_was_written_anew_is_another_picture(wide_photo: Path) -> None:
    visit = Visit()
    visit.picture(str(wide_photo))
    Image.fromarray(np.zeros((10, 10, 3), dtype=np.uint8)).save(wide_photo)
    assert visit.picture(str(wide_photo)).shape == (10, 10, 3)


@pytest.mark.parametrize("photo", [None, ""])
def test_no_photo_is_told_in_a_sentence(photo: str | None) -> None:
    with pytest.raises(InvalidImageError, match="no photo yet"):
        Visit().picture(photo)


def test_a_file_that_is_gone_is_told_in_a_sentence() -> None:
    with pytest.raises(InvalidImageError, match="There is no file"):
        Visit().picture("/nowhere/photo.png")


def test_memory_is_counted(wide_photo: Path) -> None:
    visit = Visit()
    assert visit.nbytes == 0
    picture = visit.picture(str(wide_photo))
    visit.keep_embedding("nano", stored(), picture=picture)
    visit.keep("masks", [1], picture=picture, nbytes=10)
    assert visit.nbytes == 120 * 60 * 3 + 16 + 10
    visit.forget()
    assert visit.nbytes == 0


def test_the_least_recent_visits_make_room() -> None:
    all_visits = visits(most=2)
    first, second = all_visits.of(None), all_visits.of(None)
    all_visits.of(first.key)
    all_visits.of(None)
    assert len(all_visits) == 2
    assert all_visits.of(first.key) is first
    assert all_visits.of(second.key) is not second


def test_memory_is_bounded_for_all_visitors_together(wide_photo: Path) -> None:
    all_visits = visits(most_bytes=120 * 60 * 3)
    first = all_visits.of(None)
    first.picture(str(wide_photo))
    second = all_visits.of(None)
    second.picture(str(wide_photo))
    assert all_visits.of(second.key) is second  # the one at work stays
    assert all_visits.of(first.key) is not first


def test_visits_end_some_time_after_their_last_use() -> None:
    clock = Clock()
    all_visits = visits(seconds=60, clock=clock)
    visit = all_visits.of(None)
    clock.time = 50
    assert all_visits.of(visit.key) is visit
    clock.time = 100
    assert all_visits.of(visit.key) is visit
    clock.time = 161
    assert all_visits.of(visit.key) is not visit


def test_a_closed_visit_is_forgotten() -> None:
    all_visits = visits()
    visit = all_visits.of(None)
    all_visits.close(visit.key)
    all_visits.close(visit.key)
    all_visits.close(None)
    assert len(all_visits) == 0


def test_embeddings_of_a_run_are_kept_and_not_passed_on(wide_photo: Path) -> None:
    visit = Visit()
    picture = visit.picture(str(wide_photo))
    items = (item for item in (1, stored(3.0), 2))
    assert list(keeping(visit, "nano", picture, items)) == [1, 2]
    kept = visit.embedding("nano")
    assert kept is not None
    assert kept.features.max() == 3.0
    assert visit.embedding("mobilesam") is None
