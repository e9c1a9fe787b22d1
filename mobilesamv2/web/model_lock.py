"""Lock of a model: runs take turns, first come, first served. Knows nothing of models and of what a run is about.

A run gives the lock back when it ends, is closed or fails, in whatever thread that is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TypeVar

from ..progress import Progress

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

    def run(self, start: Callable[[], Generator[Item, None, None]]) -> Generator[Item | Progress, None, None]:
        """Yield the items of `start()` while holding the lock; steps named "wait" before, as long as others have it.

        The place in the queue is taken at the first step.
        """
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            while not self._is_first(ticket):
                yield Progress("wait")
            with closing(start()) as items:
                yield from items
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    @property
    def waiting(self) -> int:
        """How many runs wait for the one that has the lock."""
        return max(0, len(self._queue) - 1)

    def _is_first(self, ticket: object) -> bool:
        """Whether `ticket` has the lock, after some waiting at the most."""
        with self._moved:
            return self._moved.wait_for(lambda: self._queue[0] is ticket, self._seconds)
