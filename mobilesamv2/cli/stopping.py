"""Ctrl-C and SIGTERM, which `docker stop` and Slurm send: both end a command by KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """While the block runs, the first SIGTERM raises KeyboardInterrupt, and further ones do nothing."""
    if threading.current_thread() is not threading.main_thread():  # only there signals can be handled
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class HeldStops:
    """While the block runs, Ctrl-C and SIGTERM wait until `let_through`, or until its end.

    So a stop that comes while packages are imported finds a command that can write down what was done.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._came: list[signal.Signals] = []

    def __enter__(self) -> HeldStops:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_through()

    def hold(self) -> None:
        """Let stops wait from now on."""
        if threading.current_thread() is threading.main_thread():  # only there signals can be handled
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before.setdefault(number, signal.signal(number, self._note))

    def let_through(self) -> None:
        """Handle what waited, which raises KeyboardInterrupt, and what comes from now on at once."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        before, came = self._before, self._came
        self._before, self._came = {}, []
        for number in came:
            if callable(before[number]):
                before[number](number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came.append(signal.Signals(number))
