"""Fetching step by step: progress, stopping and going on, two at once, and a hub or a disk that misbehaves."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from huggingface_hub import constants as hub_constants

from mobilesamv2.errors import WeightsError, WeightsUnreachableError
from mobilesamv2.weights import download, fetch, find, is_here, show_progress
from mobilesamv2.zoo import Form
from tests.fake_hub import FakeHub

from .conftest import CONTENT, REPO, assert_one_sentence, entry

LARGE = bytes(range(250)) * 20
"""Five thousand bytes, fetched a thousand at a time."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "CHUNK_BYTES", 1000)


@pytest.fixture
def large(hub: FakeHub) -> FakeHub:
    hub.files[f"{REPO}/small.pt"] = LARGE
    return hub


def partial(tmp_path: Path) -> Path | None:
    """What has arrived of a file that is not whole."""
    return next((tmp_path / "cache").rglob("*.incomplete"), None)


def test_a_fetch_says_how_far_it_is(large: FakeHub) -> None:
    steps = list(fetch(entry(LARGE)))
    assert [step.done_bytes for step in steps] == [1000, 2000, 3000, 4000, 5000]
    assert {(step.name, step.total_bytes) for step in steps} == {("small.pt", 5000)}


def test_files_that_are_here_are_not_fetched_again(large: FakeHub) -> None:
    find(entry(LARGE))
    assert list(fetch(entry(LARGE))) == []
    assert list(fetch()) == []


def test_of_several_files_the_bytes_are_counted_together(large: FakeHub) -> None:
    large.files[f"{REPO}/other.pt"] = CONTENT
    steps = list(fetch(entry(LARGE), entry(filename="other.pt")))
    assert steps[-1].done_bytes == steps[-1].total_bytes == 5028
    assert [step.name for step in steps][-2:] == ["small.pt", "other.pt"]
    assert find(entry(filename="other.pt")).read_bytes() == CONTENT


def test_the_paths_come_in_the_order_of_the_files(large: FakeHub) -> None:
    large.files[f"{REPO}/other.pt"] = CONTENT
    find(entry(filename="other.pt"))
    paths = show_progress(fetch(entry(LARGE), entry(filename="other.pt")))
    assert [path.name for path in paths] == ["small.pt", "other.pt"]


def test_a_file_that_is_named_twice_is_fetched_once_and_given_twice(large: FakeHub) -> None:
    first, second = show_progress(fetch(entry(LARGE), entry(LARGE)))
    assert first == second
    assert large.downloads == 1


def test_a_fetch_that_is_stopped_leaves_no_file_and_goes_on_later(large: FakeHub, tmp_path: Path) -> None:
    fetching = fetch(entry(LARGE))
    assert [next(fetching).done_bytes, next(fetching).done_bytes] == [1000, 2000]
    fetching.close()
    assert not is_here(entry(LARGE))
    steps = list(fetch(entry(LARGE)))
    assert large.asked_ranges == ["", "bytes=2000-"]
    assert [step.done_bytes for step in steps] == [3000, 4000, 5000]
    assert find(entry(LARGE)).read_bytes() == LARGE
    assert partial(tmp_path) is None


def test_a_fetch_may_be_driven_and_stopped_by_several_threads(large: FakeHub) -> None:
    fetching = fetch(entry(LARGE))
    for action in (lambda: next(fetching), fetching.close):
        thread = Thread(target=action)
        thread.start()
        thread.join()
    assert find(entry(LARGE)).read_bytes() == LARGE  # would wait for ever if the first still had its turn


def test_a_connection_that_breaks_is_taken_up_where_it_was(large: FakeHub) -> None:
    large.broken_after = 2500
    assert find(entry(LARGE)).read_bytes() == LARGE
    assert large.asked_ranges == ["", "bytes=2000-", "bytes=4000-"]  # whole chunks are kept


def test_a_hub_that_cannot_go_on_is_asked_for_the_whole_file(large: FakeHub) -> None:
    large.broken_after, large.broken_answers, large.ranges = 1500, 1, False
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_connection_that_brings_nothing_is_given_up_after_some_attempts(large: FakeHub) -> None:
    large.broken_after = 0
    with pytest.raises(WeightsUnreachableError, match="could not be fetched from http") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert large.downloads == download.ATTEMPTS
    large.broken_after = None
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_file_that_ends_early_is_said_to_and_is_not_kept_under_its_name(large: FakeHub) -> None:
    large.sent = 1200
    with pytest.raises(WeightsUnreachableError, match="connection ended after 1,200 of 5,000 bytes") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert not is_here(entry(LARGE))
    large.sent = None
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_hub_that_has_less_than_it_says_is_asked_for_no_more_than_it_has(large: FakeHub) -> None:
    large.said_bytes, large.past_the_end = 9000, 416
    with pytest.raises(WeightsUnreachableError, match="connection ended after 5,000 of 9,000 bytes") as caught:
        find(entry(LARGE, bytes=None))
    assert_one_sentence(caught.value)
    assert not is_here(entry(LARGE))


@pytest.mark.parametrize("said_bytes", [0, -5])
def test_a_file_of_no_bytes_is_no_hub_s(said_bytes: int, large: FakeHub) -> None:
    large.said_bytes = said_bytes
    with pytest.raises(WeightsUnreachableError, match="does not answer as a hub does"):
        find(entry(LARGE, bytes=None))


def test_a_token_that_can_be_none_is_one_sentence(large: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "töken")
    with pytest.raises(WeightsUnreachableError, match="the token in HF_TOKEN has letters") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)


def test_a_cache_that_is_a_file_is_said_to_be_no_cache(
    large: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "file"))
    with pytest.raises(WeightsUnreachableError, match=r"cache .*file cannot be written") as caught:
        find(entry(LARGE, sha256=None))
    assert_one_sentence(caught.value)


def test_a_slow_hub_is_waited_for(large: FakeHub) -> None:
    large.pause = 0.02
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_hub_that_falls_silent_is_given_up(large: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "SILENT_SECONDS", 0.05)
    monkeypatch.setattr(download, "ATTEMPTS", 2)
    large.gate.clear()
    with pytest.raises(WeightsUnreachableError, match="could not be fetched"):
        find(entry(LARGE))


def test_a_hub_that_breaks_down_between_question_and_answer_is_one_sentence(large: FakeHub) -> None:
    large.status_of_content = 503
    with pytest.raises(WeightsUnreachableError, match=r"could not be fetched \(HTTP 503\)") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)


# A hub that lies -----------------------------------------------------------------------------------------------


def test_another_size_than_the_zoo_s_is_not_even_fetched(large: FakeHub) -> None:
    large.said_bytes = 4999
    with pytest.raises(WeightsError, match="4,999 bytes, expected 5,000") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert large.downloads == 0


@pytest.mark.parametrize("known", [True, False], ids=["known hash", "unknown hash"])
def test_other_bytes_than_offered_are_thrown_away(known: bool, large: FakeHub, tmp_path: Path) -> None:
    file = entry(LARGE) if known else entry(LARGE, bytes=None, sha256=None)
    large.changed = LARGE[::-1]
    with pytest.raises(WeightsError, match=r"arrived from http\S+ with SHA-256 \w{8}…, expected \w{8}…") as caught:
        find(file)
    assert_one_sentence(caught.value)
    assert partial(tmp_path) is None
    assert not is_here(file)
    large.changed = None
    assert find(file).read_bytes() == LARGE


def test_more_bytes_than_offered_are_thrown_away(large: FakeHub, tmp_path: Path) -> None:
    large.more = b"and more"
    with pytest.raises(WeightsError, match="sends more than it offers") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert not is_here(entry(LARGE))
    large.more = b""
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_size_that_is_too_large_is_noticed(large: FakeHub) -> None:
    large.said_bytes = 6000
    with pytest.raises(WeightsUnreachableError, match="connection ended after 5,000 of 6,000 bytes"):
        find(entry(LARGE, bytes=None, sha256=None))


def test_what_was_left_by_a_fetch_of_other_bytes_does_no_harm(large: FakeHub, tmp_path: Path) -> None:
    fetching = fetch(entry(LARGE))
    next(fetching)
    fetching.close()
    left = partial(tmp_path)
    assert left is not None
    left.write_bytes(b"x" * 1000)
    with pytest.raises(WeightsError, match="It was thrown away; run again"):
        find(entry(LARGE))
    assert find(entry(LARGE)).read_bytes() == LARGE


# A disk that will not ------------------------------------------------------------------------------------------


def test_where_there_is_no_room_nothing_is_fetched(large: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10_000, 6_000, 4_000))
    with pytest.raises(
        WeightsUnreachableError,
        match=r"no room for small\.pt in .*5,000 bytes are needed and 4,000 are free",
    ) as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert "set HF_HOME to a folder on a larger disk" in str(caught.value)
    assert large.downloads == 0


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, r"There is no room for small\.pt in .*No space left"),
        (errno.EDQUOT, r"There is no room for small\.pt in .*quota exceeded"),
        (
            errno.EROFS,
            r"small\.pt cannot be kept, .* cannot be written \(Read-only file system\); set HF_HOME",
        ),
        (errno.EACCES, r"small\.pt cannot be kept, .* cannot be written \(Permission denied\); set HF_HOME"),
    ],
)
def test_what_the_disk_refuses_is_one_sentence(
    number: int, expected: str, large: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", refuse)
        with pytest.raises(WeightsUnreachableError, match=expected) as caught:
            find(entry(LARGE))
    assert_one_sentence(caught.value)
    assert 'use the model "nano"' in str(caught.value)
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_a_cache_that_cannot_be_made_is_one_sentence(
    large: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsUnreachableError, match=r"cannot be written \(Not a directory\)") as caught:
        find(entry(LARGE))
    assert_one_sentence(caught.value)


# Two at once ---------------------------------------------------------------------------------------------------


def test_a_second_fetch_of_the_same_file_waits_and_takes_the_first_one_s(large: FakeHub) -> None:
    first, second = fetch(entry(LARGE)), fetch(entry(LARGE))
    assert [next(first).done_bytes, next(first).done_bytes] == [1000, 2000]
    assert next(second).done_bytes == 2000
    list(first)
    assert list(second) == []
    assert large.downloads == 1


def test_a_second_fetch_goes_on_where_the_first_was_stopped(large: FakeHub) -> None:
    first, second = fetch(entry(LARGE)), fetch(entry(LARGE))
    next(first)
    assert next(second).done_bytes == 1000
    first.close()
    list(second)
    assert large.asked_ranges == ["", "bytes=1000-"]
    assert find(entry(LARGE)).read_bytes() == LARGE


def test_two_processes_fetch_the_same_file_once(large: FakeHub, tmp_path: Path) -> None:
    sha256 = hashlib.sha256(LARGE).hexdigest()
    code = f"""if True:
        from mobilesamv2.weights import find
        from mobilesamv2.zoo import WeightsFile

        file = WeightsFile("small.pt", repo="{REPO}", bytes=5000, sha256="{sha256}")
        print(find(file).stat().st_size)
    """
    first = fetch(entry(LARGE))
    next(first)
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "cache")}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True) as other:
        while not any(request.startswith("HEAD") for request in large.requests[2:]):
            assert other.poll() is None
        list(first)
        out, _ = other.communicate(timeout=60)
    assert (other.returncode, out) == (0, "5000\n")
    assert large.downloads == 1


def test_of_a_detector_a_copy_is_given_as_the_detector(large: FakeHub) -> None:
    large.status = 404
    with pytest.raises(WeightsUnreachableError, match="give the path of a copy as `detector`, or use the detector"):
        find(entry(LARGE, form=Form.ULTRALYTICS))
