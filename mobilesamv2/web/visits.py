"""What is kept of each visitor between two clicks: one picture, its embeddings, what was decoded of it.

A visitor is known by a key that only the server holds. Nothing here is shared between keys. The number of visits,
their bytes and their age are bounded; what was thrown out is simply made again. Knows nothing of components.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable
from contextlib import closing
from pathlib import Path
from typing import Any

from ..errors import InvalidImageError
from ..images import load_image
from ..stored import StoredEmbedding
from ..types import Picture
from .text import page as text


class Visit:
    """One visitor: the picture at hand and what was made of it.

    Args:
        key: names the visit; a visit that nobody keeps has an empty one.
    """

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.lock = threading.RLock()
        """Held by who reads and then writes."""
        self.example: str | None = None
        """Path of the example that the visitor sees before choosing a photo."""
        self._photo: Hashable = None
        self._path: str | None = None
        self._picture: Picture | None = None
        self._embeddings: dict[str, StoredEmbedding] = {}
        self._kept: dict[Hashable, tuple[Any, int]] = {}

    def picture(self, photo: str | None) -> Picture:
        """The picture of an uploaded file. Another file than the last one forgets all that was made of that.

        Args:
            photo: its path, or None for no photo.

        Raises:
            InvalidImageError: no photo, or not one that can be read.
        """
        if not photo:
            raise InvalidImageError(text.NO_PHOTO)
        with self.lock:
            state = _state_of(photo)
            if self._picture is None or self._photo != state:
                self.forget()
                self._picture = load_image(photo)
                self._picture.setflags(write=False)
                self._photo, self._path = state, photo
            return self._picture

    @property
    def photo(self) -> str | None:
        """Path of the photo at hand, or None."""
        return self._path

    def seen(self, photo: str | None) -> str | None:
        """Path of the photo that the visitor sees, or None: the one they chose, or else the example.

        The photo at hand may be another one still: a visit hears of a new photo when something is asked of it.
        """
        return photo or (self._path if self._path == self.example else None)

    def has(self, photo: str | None) -> bool:
        """Whether what is kept was made of the photo that the visitor sees."""
        with self.lock:
            seen = self.seen(photo)
            return seen is not None and self._picture is not None and self._photo == _state_of(seen)

    @property
    def at_hand(self) -> Picture | None:
        """The picture at hand, or None."""
        return self._picture

    def embedding(self, model: str) -> StoredEmbedding | None:
        """What `model` made of the picture, or None if it has not yet."""
        return self._embeddings.get(model)

    def keep_embedding(self, model: str, embedding: StoredEmbedding, *, picture: Picture) -> None:
        """Keep what `model` made of `picture`, unless the visitor has gone on to another picture since."""
        with self.lock:
            if self._picture is picture:
                self._embeddings[model] = embedding

    def get(self, name: Hashable) -> Any:
        """What was kept under `name` for the picture at hand, or None."""
        kept = self._kept.get(name)
        return None if kept is None else kept[0]

    def keep(self, name: Hashable, value: Any, *, picture: Picture, nbytes: int = 0) -> None:
        """Keep something made of `picture` under `name`, unless the visitor has gone on to another picture since.

        Args:
            nbytes: its memory, about.
        """
        with self.lock:
            if self._picture is picture:
                self._kept[name] = (value, nbytes)

    def forget(self) -> None:
        """Drop the picture and all that was made of it."""
        with self.lock:
            self._photo = self._path = self._picture = None
            self._embeddings = {}
            self._kept = {}

    @property
    def nbytes(self) -> int:
        """Memory of what is kept, about."""
        with self.lock:
            picture = 0 if self._picture is None else self._picture.nbytes
            embeddings = sum(embedding.nbytes for embedding in self._embeddings.values())
            return picture + embeddings + sum(nbytes for _, nbytes in self._kept.values())


class Visits:
    """All visits of one page, the most recent ones only.

    Args:
        most: visits kept at the most.
        most_bytes: their memory at the most, but for the one that is at work.
        seconds: how long a visit is kept after its last use.
        now: a clock.
    """

    def __init__(
        self, *, most: int, most_bytes: int, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._most_bytes, self._seconds, self._now = most, most_bytes, seconds, now
        self._visits: OrderedDict[str, tuple[Visit, float]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: str | None) -> Visit:
        """The visit of a key; a new one, with a new key, where there is none or it has been thrown out."""
        with self._lock:
            self._tidy()
            visit = self._visits[key][0] if key and key in self._visits else Visit(secrets.token_urlsafe(24))
            self._visits[visit.key] = (visit, self._now())
            self._visits.move_to_end(visit.key)
            self._tidy()
            return visit

    def close(self, key: str | None) -> None:
        """Forget a visit; no such visit is fine."""
        with self._lock:
            if key is not None and key in self._visits:
                del self._visits[key]

    def __len__(self) -> int:
        return len(self._visits)

    def _tidy(self) -> None:
        """Throw out what is too old, then the visits that were used least recently."""
        oldest = self._now() - self._seconds
        for key in [key for key, (_, used) in self._visits.items() if used < oldest]:
            del self._visits[key]
        held = sum(visit.nbytes for visit, _ in self._visits.values())
        while len(self._visits) > self._most or (held > self._most_bytes and len(self._visits) > 1):
            _, (visit, _) = self._visits.popitem(last=False)
            held -= visit.nbytes


def keeping(
    visit: Visit, model: str, picture: Picture, items: Generator[Any, None, None]
) -> Generator[Any, None, None]:
    """Take the embeddings out of what a run yields and keep them for the visitor. Closing this closes `items`."""
    with closing(items):
        for item in items:
            if isinstance(item, StoredEmbedding):
                visit.keep_embedding(model, item, picture=picture)
            else:
                yield item


def _state_of(photo: str) -> Hashable:
    try:
        told = Path(photo).stat()
    except (OSError, ValueError):
        return photo  # reading it will say what is wrong
    return photo, told.st_size  # not when it was written: another visitor may upload the same file
