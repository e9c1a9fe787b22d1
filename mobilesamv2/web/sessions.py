"""Sessions of visitors: one picture each, its embeddings, its results and the jobs asked for. Knows no components.

Nothing is shared between sessions. Their number, their bytes and their age are bounded; what was thrown out is made
again when it is needed.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from ..errors import InvalidImageError
from ..images import MAX_PIXELS, ReadImage
from ..stored import StoredEmbedding
from .text import page as text
from .uploads import read_upload

MOST_EMBEDDINGS = 4
"""Kept in one session; the least recent ones make room."""
_LONGEST_KEY = 64
_LARGEST = 2**53
"""Of the whole numbers that browsers tell apart."""


class JobNumbers:
    """Numbers of the jobs of one kind that a visitor asked for; at most the latest of them is wanted.

    The browser numbers the jobs of a page, rising (`scripts/jobs.js`). So a stop names what it stops: it counts also
    where it arrives before the job that it is about, and it never stops a later one.

    Attributes:
        latest: number of the latest job.
        latest_of: the same of each tab of the page, by its name.
        cancelled: number of the latest cancelled job.
        dropped: all jobs before this number were about another photo.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.latest = self.cancelled = self.dropped = 0
        self.latest_of: dict[str, int] = {}
        self._taken = 0

    def begin(self, number: object, tab: str) -> None:
        """Note a new job of a tab. All before it are stale; of those of the same tab the answers are dropped."""
        with self._lock:
            self.latest = max(self.latest, whole(number))
            self.latest_of[tab] = max(self.latest_of.get(tab, 0), whole(number))

    def take(self, number: object, tab: str) -> bool:
        """Whether the job of that number is still to be done; it is begun, and the next who asks is told no."""
        self.begin(number, tab)
        with self._lock:
            if whole(number) <= self._taken:
                return False
            self._taken = whole(number)
            return True

    def cancel(self, number: object) -> None:
        """Stop the jobs up to that one: each ends with what it has."""
        with self._lock:
            self.cancelled = max(self.cancelled, whole(number))

    def drop(self, number: object) -> None:
        """Stop the jobs before that number and drop their answers: another photo is at hand."""
        with self._lock:
            self.dropped = max(self.dropped, whole(number))


def whole(number: object) -> int:
    """A number that came from a browser; 0 for anything else."""
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= _LARGEST:
        return 0
    return int(number)


class Session:
    """One visitor: the picture at hand, what was made of it, and the jobs asked for.

    Args:
        most_results: results kept of one picture; the least recent ones make room.
        most_pixels: of a picture; more are refused.

    Attributes:
        lock: held while something is read and then written, and while a picture is read. Never by other sessions.
        nbytes: memory of all that is kept, about; up to date, and read without the lock.
        runs: numbers of the jobs on the picture at hand.
        batches: of those on several files, which no other picture stops.
        photo, at_hand: path of the photo at hand, and its picture.
        example: path of the example that the visitor sees before choosing a photo.
    """

    def __init__(self, *, most_results: int = 12, most_pixels: int = MAX_PIXELS) -> None:
        self._most_results, self.most_pixels = most_results, most_pixels
        self.lock = threading.RLock()
        self.nbytes = 0
        self.runs, self.batches = JobNumbers(), JobNumbers()
        self.example: str | None = None
        self._state: Hashable = None
        self.photo: str | None = None
        self.at_hand: ReadImage | None = None
        self._embeddings: OrderedDict[str, StoredEmbedding] = OrderedDict()
        self._results: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def picture(self, photo: str | None) -> ReadImage:
        """The picture of an uploaded file. A file other than the last one drops all that was made of that.

        Args:
            photo: its path, or None for no photo.

        Raises:
            InvalidImageError: no photo, or not one that can be read.
        """
        if not photo:
            raise InvalidImageError(text.NO_PHOTO)
        with self.lock:
            if self.at_hand is None or not self._is_of(photo):
                state = _state_of(photo)
                self.forget()
                self.at_hand = read_upload(photo, max_pixels=self.most_pixels)
                self.at_hand.picture.setflags(write=False)
                self._state, self.photo = state, photo
                self._count()
            return self.at_hand

    def seen(self, photo: str | None) -> str | None:
        """Path of the photo that the visitor sees, or None: the chosen one, else the example if that is at hand.

        The photo at hand may be another one still: a session hears of a new photo when something is asked of it.
        """
        return photo or (self.photo if self.photo == self.example else None)

    def has(self, photo: str | None) -> bool:
        """Whether what is kept was made of the photo that the visitor sees."""
        seen = self.seen(photo)
        return seen is not None and self.at_hand is not None and self._is_of(seen)

    def _is_of(self, photo: str) -> bool:
        """Whether the picture at hand is that of a file: an upload is removed after a while, and work on it goes on."""
        state = _state_of(photo)
        return photo == self.photo if state is None else state == self._state

    def embedding(self, model: str) -> StoredEmbedding | None:
        """What `model` made of the picture, or None if it has not yet."""
        with self.lock:
            if model in self._embeddings:
                self._embeddings.move_to_end(model)
            return self._embeddings.get(model)

    def keep_embedding(self, model: str, embedding: StoredEmbedding, *, picture: ReadImage) -> None:
        """Keep what `model` made of `picture`, unless another picture is at hand by now."""
        with self.lock:
            if self.at_hand is picture:
                self._embeddings[model] = embedding
                self._count()

    def get(self, name: Hashable) -> Any:
        """What was kept under `name` for the picture at hand, or None."""
        with self.lock:
            if name in self._results:
                self._results.move_to_end(name)
            return self._results.get(name, (None, 0))[0]

    def keep(self, name: Hashable, value: Any, *, picture: ReadImage, nbytes: int) -> None:
        """Keep something made of `picture` under `name`, unless another picture is at hand by now.

        Args:
            name: made by the program, never a text of the browser.
            nbytes: memory of `value`, about.
        """
        with self.lock:
            if self.at_hand is picture:
                self._results[name] = (value, nbytes)
                self._results.move_to_end(name)
                self._count()

    def forget(self) -> None:
        """Drop the picture and all that was made of it."""
        with self.lock:
            self._state = self.photo = self.at_hand = None
            self._embeddings.clear()
            self._results.clear()
            self._count()

    def _count(self) -> None:
        while len(self._embeddings) > MOST_EMBEDDINGS:
            self._embeddings.popitem(last=False)
        while len(self._results) > self._most_results:
            self._results.popitem(last=False)
        picture = 0 if self.at_hand is None else self.at_hand.picture.nbytes
        embeddings = sum(embedding.nbytes for embedding in self._embeddings.values())
        self.nbytes = picture + embeddings + sum(nbytes for _, nbytes in self._results.values())


class Sessions:
    """All sessions of one page, the most recent ones only.

    Args:
        most: sessions kept at the most.
        most_bytes: their memory at the most, but for the one that is at work.
        seconds: how long a session is kept after its last use.
        new: makes a session.
        now: a clock.
    """

    def __init__(
        self,
        *,
        most: int,
        most_bytes: int,
        seconds: float,
        new: Callable[[], Session] = Session,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.new = new
        self._most, self._most_bytes, self._seconds, self._now = most, most_bytes, seconds, now
        self._sessions: OrderedDict[str, tuple[Session, float]] = OrderedDict()
        self._lock = threading.Lock()
        """For the dictionary alone: never held while a picture is read, a model runs or another lock is awaited."""

    def of(self, key: str | None) -> Session:
        """The session of a key: of an open page, as `gr.Request.session_hash` tells it.

        A new one where there is none or it was thrown out; one that is not kept for no key, or no possible one.
        """
        if not key or len(key) > _LONGEST_KEY:
            return self.new()
        with self._lock:
            self._tidy()
            session = self._sessions[key][0] if key in self._sessions else self.new()
            self._sessions[key] = (session, self._now())
            self._sessions.move_to_end(key)
            self._tidy()
            return session

    def __len__(self) -> int:
        return len(self._sessions)

    def _tidy(self) -> None:
        """Throw out what is too old, then the sessions that were used least recently."""
        oldest = self._now() - self._seconds
        for key in [key for key, (_, used) in self._sessions.items() if used < oldest]:
            del self._sessions[key]
        held = sum(session.nbytes for session, _ in self._sessions.values())
        while len(self._sessions) > self._most or (held > self._most_bytes and len(self._sessions) > 1):
            _, (session, _) = self._sessions.popitem(last=False)
            held -= session.nbytes


def _state_of(photo: str) -> Hashable | None:
    """What tells a file from another one; None for what is not there."""
    try:
        told = Path(photo).stat()
    except (OSError, ValueError):
        return None
    return photo, told.st_size  # not when it was written: another visitor may upload the same file
