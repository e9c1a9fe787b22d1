"""Work that tells how far it is: generators of progress that return what comes out in the end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar, cast

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a run is: `done` of `total` in `stage`, counted in prompts while decoding."""

    stage: str
    done: int
    total: int


def run_to_end(steps: Generator[object, None, Result]) -> Result:
    """What a generator of progress returns in the end, without looking at its progress."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return cast(Result, stop.value)
