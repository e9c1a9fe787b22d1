"""Ctrl-C and SIGTERM that come at any moment."""

from __future__ import annotations

import os
import signal

import pytest

from mobilesamv2.cli.stopping import HeldStops, stopped_like_ctrl_c


def send(number: signal.Signals = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


def imported_while_stopped(number: signal.Signals, reached: list[str]) -> None:
    with stopped_like_ctrl_c(), HeldStops() as stops:
        send(number)
        reached.append("imported")
        stops.let_through()
        reached.append("never")


def stopped_again_and_again(written: list[str]) -> None:
    with stopped_like_ctrl_c(), HeldStops() as stops:
        try:
            stops.let_through()
            send()
        finally:
            send()
            stops.hold()
            send()
            written.append("summary")
            stops.let_through()
            send()
            written.append("data set")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_that_is_held_comes_when_it_is_let_through(number: signal.Signals) -> None:
    before, reached = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)), list[str]()
    with pytest.raises(KeyboardInterrupt):
        imported_while_stopped(number, reached)
    assert reached == ["imported"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_further_sigterms_do_nothing_while_what_was_done_is_written() -> None:
    written: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        stopped_again_and_again(written)
    assert written == ["summary", "data set"]


def test_holding_twice_gives_the_first_handlers_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with HeldStops() as stops:
        stops.hold()
    assert signal.getsignal(signal.SIGTERM) == before
