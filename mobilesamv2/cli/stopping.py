"""Ctrl-C and SIGTERM, which `docker stop` and Slurm send: both end a command by KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM)


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

    So a stop that comes while packages are imported finds a command that can write down what was done. Where the system
    cannot hold them (Windows), nothing waits.
    """

    def __enter__(self) -> HeldStops:
        self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_through()

    def hold(self) -> None:
        """Let stops wait from now on."""
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)

    def let_through(self) -> None:
        """Raise what waited as KeyboardInterrupt, and what comes from now on at once."""
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
