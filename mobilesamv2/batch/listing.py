"""List of the pictures that a run has to do, kept on disk: millions of names, each once."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

_DIGEST_BYTES = 16
_RECENT = 100_000


class SeenNames:
    """A set of names in 16 bytes each: ten million are 160 MB. Names are compared by their digests (BLAKE2b)."""

    def __init__(self) -> None:
        self._sorted: npt.NDArray[Any] = np.zeros(0, dtype=f"S{_DIGEST_BYTES}")
        self._recent: set[bytes] = set()

    def add(self, name: str) -> bool:
        """Add a name; whether it was not there yet."""
        # numpy takes zeros at the end for padding, here and in what it compares with.
        digest = blake2b(text_of(name).encode(), digest_size=_DIGEST_BYTES).digest().rstrip(b"\0")
        at = int(np.searchsorted(self._sorted, np.bytes_(digest)))
        if digest in self._recent or (at < len(self._sorted) and self._sorted[at] == digest):
            return False
        self._recent.add(digest)
        if len(self._recent) > max(_RECENT, len(self._sorted) // 8):
            recent = np.array(list(self._recent), dtype=self._sorted.dtype)
            self._sorted = np.sort(np.concatenate([self._sorted, recent]))
            self._recent.clear()
        return True


class Listing:
    """Names in a temporary file, to be gone through in the order they came; `close` removes it.

    Args:
        names: each is taken the first time it comes.
        seen: names that are not taken; those taken are added.
    """

    def __init__(self, names: Iterable[str], seen: SeenNames) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 (see close)
        self.count = self.known = 0
        """How many names were taken, and how many left out."""
        try:
            self._fill(names, seen)
        except BaseException:
            self.close()
            raise

    def _fill(self, names: Iterable[str], seen: SeenNames) -> None:
        for name in names:
            if seen.add(name):
                print(json.dumps(name), file=self._file)
                self.count += 1
            else:
                self.known += 1

    def close(self) -> None:
        """Remove the file."""
        self._file.close()

    def blocks(self, size: int) -> Iterator[list[str]]:
        """The names, `size` at a time."""
        self._file.seek(0)
        while block := [json.loads(line) for line in islice(self._file, size)]:
            yield block


def text_of(name: str) -> str:
    """A name as text that every file format takes: bytes that are no UTF-8 become escapes (`\\\\udce9`)."""
    return name.encode("utf-8", errors="backslashreplace").decode()
