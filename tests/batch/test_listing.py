"""Names of pictures, each once, in little memory."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from mobilesamv2.batch import listing
from mobilesamv2.batch.listing import Listing, SeenNames, text_of


def test_nothing_is_listed_of_nothing() -> None:
    with closing(Listing([], SeenNames())) as empty:
        assert empty.count == 0
        assert list(empty.blocks(4)) == []


def test_names_come_back_in_order_and_once() -> None:
    odd = ["a", "line\nbreak", os.fsdecode(b"\xe9"), "日本", "a", "b"]
    seen = SeenNames()
    seen.add("b")
    with closing(Listing(odd, seen)) as listed:
        assert (listed.count, listed.known) == (4, 2)
        for _ in range(2):
            assert list(listed.blocks(3)) == [odd[:3], odd[3:4]]


def test_a_name_is_known_by_its_text_too() -> None:
    seen, name = SeenNames(), os.fsdecode(b"\xe9.png")
    assert seen.add(text_of(name))
    assert not seen.add(name)


@pytest.mark.parametrize("recent", [0, 7, 10_000])
def test_names_stay_known_however_often_they_are_sorted(monkeypatch: pytest.MonkeyPatch, recent: int) -> None:
    monkeypatch.setattr(listing, "_RECENT", recent)
    seen = SeenNames()
    names = [f"{number}.jpg" for number in range(2000)]
    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names)
    assert seen.add("2000.jpg")


def test_a_digest_that_ends_with_a_zero_is_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_RECENT", 0)
    monkeypatch.setattr(listing, "_DIGEST_BYTES", 1)  # every 256th ends with a zero
    seen = SeenNames()
    taken = [name for name in map(str, range(3000)) if seen.add(name)]
    assert len(taken) == 256
    assert not any(seen.add(name) for name in taken)
