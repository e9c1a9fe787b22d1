"""Progress of a run: generators that yield it and return the result at the end."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar, cast

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a run is: `done` of `total` in `stage`, counted in prompts while decoding."""

    stage: str
    done: int = 0
    total: int = 0


def run_to_end(steps: Generator[object, None, Result]) -> Result:
    """What a generator of progress returns in the end, without looking at its progress."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return cast(Result, stop.value)


def only_progress(steps: Generator[object, None, Result]) -> Generator[Progress, None, Result]:
    """The progress of a run, and what it returns, without what else it yields. Closing it closes `steps`."""
    with closing(steps):
        while True:
            try:
                item = next(steps)
            except StopIteration as stop:
                return cast(Result, stop.value)
            if isinstance(item, Progress):
                yield item
