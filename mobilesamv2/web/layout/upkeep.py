"""Drops what Gradio 6 keeps, without a bound, of requests and files that are over; a running session loses nothing.

Nothing here is needed for a right answer: without it a server that runs for months grows, and one whose answers
nobody fetches grows fast.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.routes import file_upload_statuses

PAUSE_SECONDS = 10.0
"""Between two rounds."""
MOST_UPLOADS = 1000
"""Uploads of which Gradio may keep how far they came."""


class Upkeep:
    """What is dropped of one page.

    Args:
        demo: the page, whose queue has been made.
        most_unread: answers kept that nobody has fetched.
        keep_seconds: how long such an answer is kept, and an empty folder of an upload.
        now: the clock, in seconds.
    """

    def __init__(
        self,
        demo: gr.Blocks,
        *,
        most_unread: int,
        keep_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.demo = demo
        self.most_unread = most_unread
        self.keep_seconds = keep_seconds
        self.now = now
        self._unread: dict[str, float] = {}  # finished events and when they were first seen so, oldest first
        self._gone: set[str] = set()
        # A row for each request, and after each an average over all rows: for a page that is not served here.
        demo._queue.ANALYTICS_MAX_EVENTS = 1
        demo._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize

    def lifespan(self, app: Any) -> AbstractAsyncContextManager[None]:
        """Rounds for as long as an application of Starlette is served."""

        async def rounds() -> None:
            while True:
                await asyncio.sleep(PAUSE_SECONDS)
                self.requests()
                app.iterators_to_reset &= self.demo._queue.event_ids_to_events.keys()
                self.files(Path(app.uploaded_file_dir))

        @asynccontextmanager
        async def running() -> AsyncIterator[None]:
            task = asyncio.create_task(rounds())
            yield
            task.cancel()

        return running()

    def requests(self) -> None:
        """Drop answers that nobody fetched, and sessions without a request. Called where the queue itself runs."""
        queue = self.demo._queue
        finished = {
            event: session
            for session, events in queue.pending_event_ids_session.items()
            for event in events - queue.event_ids_to_events.keys()
        }
        self._unread = {event: seen for event, seen in self._unread.items() if event in finished}
        self._unread |= dict.fromkeys(finished.keys() - self._unread.keys(), self.now())
        for event, seen in list(self._unread.items()):
            if len(self._unread) > self.most_unread or self.now() - seen > self.keep_seconds:
                del self._unread[event]
                self._drop(event, finished[event])
        sessions = queue.pending_event_ids_session
        for session in [name for name, events in sessions.items() if not events]:
            del sessions[session]
        for session in [name for name in queue.pending_messages_per_session if name not in sessions]:
            del queue.pending_messages_per_session[session]
        for kept in (file_upload_statuses._statuses, file_upload_statuses._signals):
            _keep_newest(kept, MOST_UPLOADS)

    def _drop(self, event: str, session: str) -> None:
        """Forget a finished event and what was to be told of it."""
        self.demo._queue.pending_event_ids_session[session].discard(event)
        messages = self.demo._queue.pending_messages_per_session.get(session)
        for _ in range(messages.qsize() if messages else 0):
            message = messages.get_nowait()
            if message.event_id != event:
                messages.put_nowait(message)

    def files(self, uploads: Path) -> None:
        """Drop names of files that are gone; remove old folders that are empty and in no use, and what came of uploads
        that broke off.

        An upload has its name and folder a moment before its file, so a file is gone if it was gone a round ago, too.
        """
        held = set().union(*self.demo.temp_file_sets)
        gone = {name for name in held if not os.path.lexists(name)}
        for names in self.demo.temp_file_sets:
            names -= gone & self._gone
        self._gone = gone - self._gone
        in_use = {os.path.dirname(name) for name in held}
        oldest = time.time() - self.keep_seconds
        for entry in uploads.iterdir() if uploads.is_dir() else ():
            with suppress(OSError):  # gone meanwhile, or a folder that is not empty
                if str(entry) in in_use or entry.lstat().st_mtime > oldest:
                    continue
                if entry.is_dir():
                    entry.rmdir()
                elif entry.name.startswith(tempfile.gettempprefix()):  # of an upload that broke off
                    entry.unlink()


def _keep_newest(kept: MutableMapping[str, Any], most: int) -> None:
    for name in list(kept)[: max(0, len(kept) - most)]:
        del kept[name]
