"""Any JSON at any endpoint, and at any listener of the page, is an answer or a sentence, and the page lives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobilesamv2.web.text.page import UNEXPECTED

from .client import FILE, Client, RefusedError
from .pictures import photo, saved
from .server import Server

EXAMPLES = settings(
    max_examples=int(os.environ.get("MOBILESAMV2_FUZZ") or 25),
    derandomize="MOBILESAMV2_FUZZ" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PHOTO = "the photo that was uploaded"
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 70),
    st.floats(),
    st.sampled_from(
        [
            10**30,
            -(10**400),
            PHOTO,
            "nano",
            "grid",
            "own",
            "object-aware",
            "grid:2",
            "grid:9999",
            "coco",
            "\0",
        ]
    ),
    st.text(max_size=6),
    st.sampled_from(["/etc/passwd", "https://example.org/a.png", ""]).map(lambda path: {"path": path, **FILE}),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
"""What JSON can hold, and what hostile JSON holds."""


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[Client]:
    opened = Client(server)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sent(client: Client) -> dict[str, Any]:
    return client.upload("photo.png", saved(photo(), "PNG"))


@given(data=st.data())
@EXAMPLES
def test_any_values_at_an_endpoint_are_answered_or_refused_in_a_sentence(
    client: Client, sent: dict[str, Any], data: st.DataObject
) -> None:
    endpoint = data.draw(st.sampled_from(sorted(client.endpoints)))
    values = data.draw(st.lists(VALUES, min_size=(count := client.endpoints[endpoint]) - 1, max_size=count))
    said = told(client, lambda: client.call(endpoint, with_photo(values, sent)))
    assert said is None or (said.endswith((".", "]")) and said != UNEXPECTED), said


@given(data=st.data())
@EXAMPLES
def test_any_event_of_the_page_is_answered_or_refused_in_a_sentence(
    client: Client, sent: dict[str, Any], data: st.DataObject
) -> None:
    listener = data.draw(st.sampled_from(sorted(client.listeners)))
    count = client.listeners[listener]
    values = data.draw(st.lists(VALUES, min_size=count, max_size=count))
    event = data.draw(VALUES)
    said = told(client, lambda: client.browse(listener, with_photo(values, sent), event=event))
    assert said is None or said.endswith("."), (listener, said)
    assert said != UNEXPECTED, listener


def told(client: Client, ask: Any) -> str | None:
    """The sentence of a refusal; None for an answer."""
    try:
        ask()
    except RefusedError as refused:
        return str(refused)
    finally:
        assert client.server.process.is_alive()
    return None


def with_photo(value: Any, sent: dict[str, Any]) -> Any:
    """A value with the uploaded photo wherever it says so."""
    if isinstance(value, list):
        return [with_photo(each, sent) for each in value]
    return sent if value == PHOTO else value
