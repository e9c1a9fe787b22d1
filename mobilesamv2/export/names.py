"""Names for files and folders that every system accepts and that differ from each other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

_LONGEST = 80
"""Characters of a name: with a folder before it and a suffix after it, far below what file systems allow."""
_NOT_ALLOWED = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
_RESERVED = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))
)


def safe_name(file_name: str, *, fallback: str = "photo") -> str:
    """The stem of a file name as a name that Windows, macOS and Linux all accept.

    Folders before it are dropped, in either notation, and what no system or no UTF-8 takes becomes "_". A name of
    which nothing is left is `fallback`.
    """
    last = unicodedata.normalize("NFC", file_name).replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem = _NOT_ALLOWED.sub("_", PurePosixPath(last).stem)[:_LONGEST].strip(". ")
    if not stem.strip("_"):
        return fallback
    return f"{stem}_" if stem.partition(".")[0].casefold() in _RESERVED else stem


def numbered(names: Iterable[str], *, taken: Iterable[str] = ()) -> Iterator[str]:
    """The names in order, each once: of equal ones the second gets "-2", the third "-3".

    Args:
        taken: names that none may get. Compared without case, since many file systems do.
    """
    seen = {name.casefold() for name in taken}
    for name in names:
        free, number = name, 1
        while free.casefold() in seen:
            number += 1
            free = f"{name}-{number}"
        seen.add(free.casefold())
        yield free
