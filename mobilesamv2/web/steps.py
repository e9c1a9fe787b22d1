"""The progress of a run on its way to the page. Knows nothing of what a run does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

from ..errors import MobileSamError
from ..progress import Progress
from .text import page as text

Item = TypeVar("Item")


def paced(
    items: Generator[Item, None, None],
    *,
    seconds: float = 0.2,
    now: Callable[[], float] = time.monotonic,
) -> Generator[Item, None, None]:
    """Leave out steps that follow another one of the same stage too soon: each costs a message to the browser.

    Whatever is no step, and the views at the end, always come through. Closing this closes `items`.
    """
    stage, shown_at = "", -math.inf
    with closing(items):
        for item in items:
            if not isinstance(item, Progress):
                yield item
            elif item.stage != stage or now() - shown_at >= seconds:
                stage, shown_at = item.stage, now()
                yield item


def within(
    start: Callable[[], Generator[Item, None, None]],
    *,
    seconds: float,
    now: Callable[[], float] = time.monotonic,
) -> Generator[Item, None, None]:
    """The items of `start()`, as long as none of its steps begins later than `seconds` from now.

    Raises:
        MobileSamError: if one does; what was begun is closed.
    """
    latest = now() + seconds
    with closing(start()) as items:
        for item in items:
            if isinstance(item, Progress) and now() > latest:
                raise MobileSamError(text.too_slow(seconds))
            yield item


def last(items: Generator[Any, None, Any]) -> Any:
    """Run `items` to the end; what counts comes last."""
    found = None
    with closing(items):
        for item in items:
            found = item
    return found
