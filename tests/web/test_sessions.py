"""What is kept of each visitor, that it is bounded, and that nobody else sees it or waits for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.images import ReadImage
from mobilesamv2.promptable import Embedding
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.web import sessions as module
from mobilesamv2.web.sessions import MOST_EMBEDDINGS, Session, Sessions


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def sessions(*, most: int = 8, most_bytes: int = 10**9, seconds: float = 60, clock: Clock | None = None) -> Sessions:
    return Sessions(most=most, most_bytes=most_bytes, seconds=seconds, now=clock or Clock())


def stored(value: float = 0.0) -> StoredEmbedding:
    features = torch.full((1, 1, 2, 2), value)
    resize = ResizeLongestSide(size_hw=(60, 120), input_side=64)
    return StoredEmbedding.of(Embedding(features=features, resize=resize, timings={}, model="nano"))


@pytest.fixture
def other_file(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    Image.fromarray(np.full((10, 10, 3), 7, dtype=np.uint8)).save(path)
    return path


def test_a_key_names_one_session() -> None:
    kept = sessions()
    assert kept.of("ann") is kept.of("ann")
    assert kept.of("ann") is not kept.of("bob")


@pytest.mark.parametrize("key", [None, "", "x" * 65, "x" * 10**6])
def test_nothing_is_kept_under_no_key_or_one_that_no_page_has(key: str | None) -> None:
    kept = sessions()
    assert kept.of(key) is not kept.of(key)
    assert len(kept) == 0


def test_nobody_waits_while_the_photo_of_another_visitor_is_read(
    wide_photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, reading, go_on = sessions(), threading.Event(), threading.Event()

    def slow(photo: str, *, max_pixels: int) -> ReadImage:
        reading.set()
        assert go_on.wait(30)
        return ReadImage(np.zeros((60, 120, 3), dtype=np.uint8))

    monkeypatch.setattr(module, "read_upload", slow)
    first = threading.Thread(target=lambda: kept.of("ann").picture(str(wide_photo)))
    first.start()
    assert reading.wait(30)
    others: list[Session] = []
    second = threading.Thread(target=lambda: others.extend([kept.of("bob"), kept.of("ann")]))
    second.start()
    second.join(10)
    has_come = not second.is_alive()
    go_on.set()
    first.join(30)
    assert has_come
    assert others[1].at_hand is not None


def test_no_session_keeps_more_than_a_few_results_and_embeddings(wide_photo: Path) -> None:
    session = Session(most_results=5)
    picture = session.picture(str(wide_photo))
    for number in range(50):
        session.keep(("masks", number), [number], picture=picture, nbytes=10)
        session.keep_embedding(f"model {number}", stored(), picture=picture)
        session.get(("masks", 0))  # what is used stays
    assert session.nbytes == picture.picture.nbytes + 5 * 10 + MOST_EMBEDDINGS * 16
    assert session.get(("masks", 0)) == [0]
    assert session.get(("masks", 1)) is None
    assert session.embedding("model 49") is not None


def test_a_photo_that_somebody_uploads_again_is_still_the_same(wide_photo: Path) -> None:
    session = Session()
    picture = session.picture(str(wide_photo))
    session.keep("masks", 3, picture=picture, nbytes=8)
    os.utime(wide_photo, (1, 1))
    assert session.has(str(wide_photo))
    assert session.picture(str(wide_photo)) is picture
    assert session.get("masks") == 3


def test_only_the_example_is_seen_without_being_chosen(wide_photo: Path, tmp_path: Path) -> None:
    session, other = Session(), tmp_path / "other.png"
    other.write_bytes(wide_photo.read_bytes())
    assert session.seen(None) is None
    assert not session.has(None)
    session.example = str(wide_photo)
    session.picture(str(wide_photo))
    assert session.seen(None) == str(wide_photo)
    assert session.has(None)
    assert not session.has(str(other))
    session.picture(str(other))
    assert session.seen(None) is None
    assert session.seen(str(other)) == str(other)


def test_a_picture_is_read_once_and_cannot_be_changed(wide_photo: Path) -> None:
    session = Session()
    picture = session.picture(str(wide_photo))
    assert session.picture(str(wide_photo)) is picture
    with pytest.raises(ValueError, match="read-only"):
        picture.picture[0, 0] = 0


def test_another_picture_forgets_what_was_made_of_the_last_one(wide_photo: Path, other_file: Path) -> None:
    session = Session()
    picture = session.picture(str(wide_photo))
    session.keep_embedding("nano", stored(), picture=picture)
    session.keep("masks", [1], picture=picture, nbytes=10)
    assert session.embedding("nano") is not None
    assert session.get("masks") == [1]
    session.picture(str(other_file))
    assert session.embedding("nano") is None
    assert session.get("masks") is None


def test_what_comes_late_for_an_earlier_picture_is_not_kept(wide_photo: Path, other_file: Path) -> None:
    session = Session()
    before = session.picture(str(wide_photo))
    session.picture(str(other_file))
    session.keep_embedding("nano", stored(), picture=before)
    session.keep("masks", [1], picture=before, nbytes=8)
    assert session.embedding("nano") is None
    assert session.get("masks") is None


def test_a_file_that_was_written_anew_is_another_picture(wide_photo: Path) -> None:
    session = Session()
    session.picture(str(wide_photo))
    Image.fromarray(np.zeros((10, 10, 3), dtype=np.uint8)).save(wide_photo)
    assert session.picture(str(wide_photo)).picture.shape == (10, 10, 3)


@pytest.mark.parametrize("photo", [None, ""])
def test_no_photo_is_told_in_a_sentence(photo: str | None) -> None:
    with pytest.raises(InvalidImageError, match="no photo yet"):
        Session().picture(photo)


def test_a_file_that_is_gone_is_told_in_a_sentence() -> None:
    with pytest.raises(InvalidImageError, match="no longer kept here"):
        Session().picture("/nowhere/photo.png")


def test_memory_is_counted(wide_photo: Path) -> None:
    session = Session()
    assert session.nbytes == 0
    picture = session.picture(str(wide_photo))
    session.keep_embedding("nano", stored(), picture=picture)
    session.keep("masks", [1], picture=picture, nbytes=10)
    assert session.nbytes == 120 * 60 * 3 + 16 + 10
    session.forget()
    assert session.nbytes == 0


def test_the_least_recent_sessions_make_room() -> None:
    kept = sessions(most=2)
    first, second = kept.of("ann"), kept.of("bob")
    kept.of("ann")
    kept.of("cat")
    assert len(kept) == 2
    assert kept.of("ann") is first
    assert kept.of("bob") is not second


def test_memory_is_bounded_for_all_visitors_together(wide_photo: Path) -> None:
    kept = sessions(most_bytes=120 * 60 * 3)
    first = kept.of("ann")
    first.picture(str(wide_photo))
    second = kept.of("bob")
    second.picture(str(wide_photo))
    assert kept.of("bob") is second  # the one at work stays
    assert kept.of("ann") is not first


def test_sessions_end_some_time_after_their_last_use() -> None:
    clock = Clock()
    kept = sessions(seconds=60, clock=clock)
    session = kept.of("ann")
    for time in (50, 100):
        clock.time = time
        assert kept.of("ann") is session
    clock.time = 161
    assert kept.of("ann") is not session


def test_work_on_an_upload_that_was_removed_meanwhile_goes_on_and_another_visitor_is_told(other_file: Path) -> None:
    mine, other = Session(), Session()
    picture = mine.picture(str(other_file))
    other_file.unlink()
    assert mine.picture(str(other_file)) is picture
    assert mine.has(str(other_file))
    for session in (mine, other):
        with pytest.raises(InvalidImageError, match=r"^This photo is no longer kept here.*Choose it again\.$"):
            session.picture(str(other_file) + "x" if session is mine else str(other_file))
