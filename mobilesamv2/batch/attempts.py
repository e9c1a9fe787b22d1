"""Notes of attempts, which tell at which picture a worker died. Without them a run would try that picture for ever."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .store import UNFINISHED, Store

_UNWATCHED = 2
"""A worker may die of many things, once or twice. From the next try on it is watched at which picture it dies."""
_DEATHS = 2
"""A picture at which a watched worker died so often is left out."""


@dataclass(frozen=True)
class Attempt:
    """A try to do a part. Its note lies in the folder of results until the part is done.

    Args:
        store: the folder of results.
        note: name of the note's file.
        number: of the try, from 1 on.
        deaths: how often a watched worker died at a picture.
    """

    store: Store
    note: str
    number: int
    deaths: dict[str, int]

    @classmethod
    def begun(cls, store: Store, part: str) -> Attempt:
        """Begin to do a part, and note it.

        Raises:
            OSError: if the note cannot be written.
        """
        note = f"{UNFINISHED}/{part.rpartition('/')[2]}.json"
        content = store.read(note)
        before: dict[str, Any] = {"number": 0, "deaths": {}, "at": None}
        if content is not None:
            before = json.loads(content)
        deaths: dict[str, int] = before["deaths"]
        if before["at"] is not None:
            deaths[before["at"]] = deaths.get(before["at"], 0) + 1
        attempt = cls(store, note, before["number"] + 1, deaths)
        attempt._write(None)
        return attempt

    @property
    def is_watched(self) -> bool:
        """Whether `comes_to` must be called before each picture is touched."""
        return self.number > _UNWATCHED

    @property
    def deadly(self) -> frozenset[str]:
        """Pictures that must not be touched again."""
        return frozenset(name for name, times in self.deaths.items() if times >= _DEATHS)

    def comes_to(self, name: str) -> None:
        """Note which picture is next."""
        self._write(name)

    def ended(self) -> None:
        """Take the note away: the part is done."""
        self.store.remove(self.note)

    def _write(self, at: str | None) -> None:
        content = {"number": self.number, "deaths": self.deaths, "at": at}
        self.store.write(self.note, json.dumps(content).encode())
