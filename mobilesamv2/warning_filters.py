"""Changes to Python's warning filters that end with a block, in programs of several threads.

`warnings.catch_warnings` keeps the list of filters and puts it back. When two threads do so at once, the filters of one
outlive its block. Here a block removes what it added, and nothing else.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_lock = threading.Lock()


@contextmanager
def ignored_warnings(*, category: type[Warning] = Warning, module: str = "") -> Iterator[None]:
    """Ignore warnings while the block runs, in this thread and in all others.

    Args:
        category: warnings of this class and of those below it.
        module: regular expression for the beginning of the name of the module that warns.
    """
    # An ignored warning leaves no mark in Python's caches of shown warnings, so these need no renewal.
    entry = ("ignore", None, category, re.compile(module), 0)
    with _lock:
        changed = _filters()
        changed.insert(0, entry)
    try:
        yield
    finally:
        with _lock:
            for filters in (changed, _filters()):  # two where another program catches warnings meanwhile
                filters[:] = [known for known in filters if known is not entry]


@contextmanager
def without_new_filters() -> Iterator[None]:
    """Remove the filters that were added while the block ran."""
    before = list(_filters())
    try:
        yield
    finally:
        with _lock:
            _filters()[:] = [known for known in _filters() if known in before]


def _filters() -> list[Any]:
    return cast("list[Any]", warnings.filters)
