"""Who is in the model: one run at a time, first come, first served. Knows nothing of models and of what a run is about.

A run is over for the others when it ends, is closed or fails, in whatever thread that is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from .steps import Step


class Turns:
    """The queue of the runs that want into the model; the first is in there.

    Args:
        seconds: how long to wait before a step says so: a stop comes through no later than that.
    """

    def __init__(self, *, seconds: float = 0.2) -> None:
        self._seconds = seconds
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    def take(self, start: Callable[[], Generator[Any, None, None]]) -> Generator[Any, None, None]:
        """What `start` gives, from when it is this one's turn; steps of waiting before, if it has to wait.

        The place in the queue is taken at the first step. Who comes again queues up behind all that wait.
        """
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            while not self._came(ticket):
                yield Step("wait")
            with closing(start()) as items:
                yield from items
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    def _came(self, ticket: object) -> bool:
        """Whether it is the turn of `ticket`, after some waiting at the most."""
        with self._moved:
            return self._moved.wait_for(lambda: self._queue[0] is ticket, self._seconds)
