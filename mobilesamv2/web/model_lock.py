"""Lock of a model: runs take turns, first come, first served. Knows nothing of models and of what a run is about.

A run gives the lock back when it ends, is closed or fails, in whatever thread that is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from ..errors import MobileSamError
from ..progress import Progress
from .text.page import CLOSED

Item = TypeVar("Item")


class ModelLock:
    """A lock for generators; those that wait for it say so in steps, so that they can be stopped meanwhile.

    Args:
        seconds: of waiting before a step says so.
    """

    def __init__(self, *, seconds: float = 0.2) -> None:
        self._seconds = seconds
        self._queue: deque[object] = deque()
        """The first one has the lock."""
        self._moved = threading.Condition()
        self._is_closed = False

    def run(self, start: Callable[[], Generator[Item, None, None]]) -> Generator[Item | Progress, None, None]:
        """Yield the items of `start()` while holding the lock; steps named "wait" before, as long as others have it.

        The place in the queue is taken at the first step.

        Raises:
            MobileSamError: if the lock was closed meanwhile.
        """
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            while not self._is_first(ticket):
                self._check()
                yield Progress("wait")
            with closing(start()) as items:
                for item in items:
                    self._check()
                    yield item
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    def close(self, *, seconds: float = 20.0) -> bool:
        """End all runs at their next step, now and from now on; whether none was left after so many seconds.

        A process that ends while a thread is within PyTorch is aborted.
        """
        self._is_closed = True
        with self._moved:
            return self._moved.wait_for(lambda: not self._queue, seconds)

    def _check(self) -> None:
        if self._is_closed:
            raise MobileSamError(CLOSED)

    @property
    def waiting(self) -> int:
        """How many runs wait for the one that has the lock."""
        return max(0, len(self._queue) - 1)

    def _is_first(self, ticket: object) -> bool:
        """Whether `ticket` has the lock, after some waiting at the most."""
        with self._moved:
            return self._moved.wait_for(lambda: self._queue[0] is ticket, self._seconds)
