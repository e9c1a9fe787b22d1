"""Ctrl-C and SIGTERM that come at any moment."""

from __future__ import annotations

import os
import signal

import pytest

from mobilesamv2.cli.stopping import HeldStops, stopped_like_ctrl_c


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_is_held_comes_when_it_is_let_through(number: signal.Signals) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    reached = []
    with pytest.raises(KeyboardInterrupt), stopped_like_ctrl_c(), HeldStops() as stops:
        os.kill(os.getpid(), number)
        reached.append("held")
        stops.let_through()
        reached.append("never")
    assert reached == ["held"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_further_sigterms_do_nothing_while_what_was_done_is_written() -> None:
    written = []
    with pytest.raises(KeyboardInterrupt), stopped_like_ctrl_c(), HeldStops() as stops:
        try:
            stops.let_through()
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            stops.hold()
            os.kill(os.getpid(), signal.SIGTERM)
            written.append("summary")
            stops.let_through()
            os.kill(os.getpid(), signal.SIGTERM)
            written.append("data set")
    assert written == ["summary", "data set"]


def test_holding_twice_gives_the_first_handlers_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with HeldStops() as stops:
        stops.hold()
    assert signal.getsignal(signal.SIGTERM) == before
