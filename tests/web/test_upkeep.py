"""What Gradio keeps of requests and files that are over is dropped; what a running request needs stays."""

from __future__ import annotations

import gc
import os
import time
from asyncio import Queue
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.routes import file_upload_statuses
from gradio.server_messages import HeartbeatMessage, ProcessCompletedMessage

from mobilesamv2.web.layout import build_demo, launch, upkeep
from mobilesamv2.web.layout.upkeep import MOST_UPLOADS, Upkeep
from mobilesamv2.web.models import Models

from .fakes import FAKE_SETTINGS, loader, script
from .person import until
from .ports import free_port

HOUR = 3600.0
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Gradio makes event loops and does not close them."""


@pytest.fixture(autouse=True)
def event_loops() -> Iterator[None]:
    """None is left to the test of another file."""
    yield
    gc.collect()


class Clock:
    """Shows the time that it is set to."""

    def __init__(self) -> None:
        self.seconds = 5.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Upkeep:
    queue = gr.queueing.Queue(False, 1, 1, None, None)
    names: set[str] = set()
    demo: Any = SimpleNamespace(_queue=queue, upload_file_set=names, temp_file_sets=[names, set()])
    return Upkeep(demo, most_unread=3, keep_seconds=HOUR, now=clock)


def ask(kept: Upkeep, session: str, *events: str, done: bool = True) -> None:
    """Requests of a session, with the answers that wait to be fetched; or requests that are still at work."""
    queue: Any = kept.demo._queue
    messages = queue.pending_messages_per_session.setdefault(session, Queue())
    for event in events:
        queue.pending_event_ids_session.setdefault(session, set()).add(event)
        if not done:
            queue.event_ids_to_events[event] = SimpleNamespace()
        messages.put_nowait(
            ProcessCompletedMessage(output={}, success=True, event_id=event) if done else HeartbeatMessage()
        )


def sessions_of(kept: Upkeep) -> dict[str, list[str | None]]:
    """Sessions with the events of the messages that wait for them."""
    queue: Any = kept.demo._queue
    assert set(queue.pending_event_ids_session) == set(queue.pending_messages_per_session)
    return {
        session: [message.event_id for message in messages._queue]
        for session, messages in queue.pending_messages_per_session.items()
    }


def test_a_session_that_asks_nothing_is_dropped_and_may_come_again(kept: Upkeep) -> None:
    kept.requests()
    ask(kept, "gone", "a")
    kept.demo._queue.pending_event_ids_session["gone"].clear()  # as when the answer has been fetched
    kept.demo._queue.pending_messages_per_session["left"] = Queue()  # as when a page is closed
    kept.requests()
    assert sessions_of(kept) == {}
    ask(kept, "gone", "b")
    kept.requests()
    assert sessions_of(kept) == {"gone": ["b"]}


def test_answers_that_nobody_fetches_are_dropped_in_time(kept: Upkeep, clock: Clock) -> None:
    ask(kept, "reads late", "a")
    kept.requests()
    clock.seconds += HOUR - 1
    ask(kept, "newer", "b")
    kept.requests()
    assert sessions_of(kept) == {"reads late": ["a"], "newer": ["b"]}
    clock.seconds += 2
    kept.requests()
    assert sessions_of(kept) == {"newer": ["b"]}


def test_of_many_answers_that_nobody_fetches_the_oldest_are_dropped(kept: Upkeep) -> None:
    for number in range(5):
        ask(kept, f"s{number}", str(number))
        kept.requests()
    assert sessions_of(kept) == {"s2": ["2"], "s3": ["3"], "s4": ["4"]}


def test_many_answers_of_one_session_are_dropped_one_by_one(kept: Upkeep) -> None:
    for number in range(5):
        ask(kept, "same", str(number))
        kept.requests()
    assert sessions_of(kept) == {"same": ["2", "3", "4"]}


def test_a_request_at_work_is_never_dropped(kept: Upkeep, clock: Clock) -> None:
    ask(kept, "slow", "w", "x", "y", "z", done=False)
    kept.requests()
    clock.seconds += 10 * HOUR
    ask(kept, "slow", "a")
    for _ in range(2):
        kept.requests()
        assert len(sessions_of(kept)["slow"]) == 5
    clock.seconds += 2 * HOUR
    kept.requests()
    assert sessions_of(kept) == {"slow": [None] * 4}, "The answer that nobody fetched goes, the session stays."
    assert kept.demo._queue.pending_event_ids_session["slow"] == {"w", "x", "y", "z"}


def test_how_far_uploads_came_is_kept_of_the_newest(kept: Upkeep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_upload_statuses, "_statuses", {})
    for number in range(MOST_UPLOADS + 50):
        file_upload_statuses.track(str(number))
    kept.requests()
    assert list(file_upload_statuses._statuses) == [str(number) for number in range(50, MOST_UPLOADS + 50)]
    assert len(file_upload_statuses._signals) <= MOST_UPLOADS


def test_names_of_files_that_are_gone_and_empty_folders_of_uploads_go(kept: Upkeep, tmp_path: Path) -> None:
    for name in ("here", "gone", "coming", "new"):
        (tmp_path / name).mkdir()
    here, gone, coming = (str(tmp_path / name / "photo.png") for name in ("here", "gone", "coming"))
    Path(here).touch()
    for name in ("tmp_broken_off", "tmp_coming", "notes"):
        (tmp_path / name).touch()
    for name in ("here", "gone", "coming", "tmp_broken_off", "notes"):
        os.utime(tmp_path / name, (time.time() - 2 * HOUR,) * 2)
    names = kept.demo.upload_file_set
    names |= {here, gone, coming}
    kept.files(tmp_path)
    assert names == {here, gone, coming}, "The name of an upload is there a moment before its file."
    Path(coming).touch()
    kept.files(tmp_path)
    kept.files(tmp_path)
    assert names == {here, coming}
    assert {path.name for path in tmp_path.iterdir()} == {"here", "coming", "new", "tmp_coming", "notes"}
    kept.files(tmp_path / "nothing")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[gr.Blocks, str]]:
    """A page in this process, and its address."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    monkeypatch.setattr(upkeep, "PAUSE_SECONDS", 0.05)
    models = Models(loader(SimpleNamespace(**script())), names=("nano",), first="nano")
    settings = replace(FAKE_SETTINGS, examples=(), most_sessions=2)
    demo = build_demo(models, settings)
    yield demo, launch(demo, settings, port=free_port(), block=False)
    demo.close(verbose=False)


def test_a_page_that_is_served_forgets_requests_that_are_over(served: tuple[gr.Blocks, str], wide_photo: Path) -> None:
    demo, address = served
    with httpx.Client(base_url=address, timeout=60) as http:
        for number in range(20):
            upload = {"files": ("photo.png", wide_photo.read_bytes())}
            (sent,) = http.post(f"gradio_api/upload?upload_id={number}", files=upload).json()
            photo = {"path": sent, "meta": {"_type": "gradio.FileData"}}
            asked = {"data": [photo, [[5, 5]], None, None, True, "nano"]}
            event = http.post("gradio_api/call/predict_mask", json=asked).json()["event_id"]
            if number % 2:
                assert "event: complete" in http.get(f"gradio_api/call/predict_mask/{event}").text
    queue = demo._queue
    until(lambda: len(queue.pending_event_ids_session) <= 8 and not queue.event_ids_to_events)
    until(lambda: len(queue.pending_messages_per_session) <= 8)
    assert queue.pending_event_ids_session, "Answers that nobody has fetched so far."
    assert len(queue.event_analytics) <= 1
