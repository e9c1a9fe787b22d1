"""What the client makes of an answer, without a server."""

from __future__ import annotations

from .client import last_event


def test_a_call_that_waited_is_known_by_its_last_event() -> None:
    at_once = 'event: complete\ndata: ["a", {"b": 1}]\n\n'
    assert last_event(at_once) == ("complete", ["a", {"b": 1}])
    assert last_event("event: heartbeat\ndata: null\n\n" * 2 + at_once) == last_event(at_once)
    assert last_event("event: error\ndata: null\n\n") == ("error", None)
