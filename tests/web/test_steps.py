"""Steps on the way of a run."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mobilesamv2.progress import Progress
from mobilesamv2.web.steps import last, paced


def test_pacing_leaves_out_what_follows_too_soon_but_neither_a_new_stage_nor_the_view() -> None:
    view = object()
    clock = iter([0.0, 0.1, 0.3, 0.3, 0.3, 0.35]).__next__
    items = [Progress("decode", 0), Progress("decode", 1), Progress("decode", 2), Progress("filter"), view]

    def given() -> Generator[Any, None, None]:
        yield from items

    kept = list(paced(given(), seconds=0.2, now=clock))
    assert kept == [items[0], items[2], items[3], view]


def test_the_last_item_is_what_counts_and_the_run_is_closed() -> None:
    closed: list[bool] = []

    def given() -> Generator[int, None, None]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    assert last(given()) == 2
    assert closed == [True]
