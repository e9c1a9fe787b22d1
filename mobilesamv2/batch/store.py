"""The folder of a run's results, in any file system: what the run is, its parts, its label maps.

A part is a Parquet file of some pictures' rows. It is written under another name and renamed, so it is there whole or
not at all, and a picture is done when it is in a part. Nothing else remembers what was done.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any

from ..errors import MobileSamError
from ..export import json_bytes, safe_name
from .listing import text_of
from .rows import Row, parquet_of, rows_of
from .sources import full_name, located

RESULTS, LABEL_MAPS, RUN_NAME, SUMMARY_NAME = "results", "label_maps", "run.json", "summary.json"
UNFINISHED = "unfinished"
"""Folder of what is not done. What lies there when a run begins was left by one that was killed, and is removed."""
_ABOUT_SOURCES = ("source", "error")
_READERS = 16
"""Parts read at once to learn what is done: where results lie far away, waiting takes longer than reading."""


class BatchError(MobileSamError, RuntimeError):
    """A run cannot begin or go on."""


@dataclass(frozen=True)
class DonePart:
    """A part that is there.

    Args:
        path: of its file.
        sources: the pictures in it, as text.
        errors: how many of them are rows of errors.
    """

    path: str
    sources: tuple[str, ...]
    errors: int


@dataclass(frozen=True)
class Store:
    """A folder of results, opened by one run. It can be sent to other processes.

    Args:
        fs: the fsspec file system it lies in.
        root: its path there.
        run: names this run. The one that opened the folder last owns it; what others still do is not published.
    """

    fs: Any
    root: str
    run: str

    @classmethod
    def opened(cls, address: str, about: Mapping[str, Any]) -> Store:
        """Open a folder for a run, and make it if it is not there.

        Args:
            address: a path or an fsspec address.
            about: what the run is: a folder of another run is refused.

        Raises:
            BatchError: if results of another run lie there, or it is no folder of results.
            OSError: if it cannot be made.
        """
        fs, root = located(full_name(address))
        store = cls(fs, root.rstrip("/"), uuid.uuid4().hex)
        before = store._about()
        about = json.loads(json.dumps(about))
        if before is not None and before != about:
            differing = sorted(key for key in {*before, *about} if before.get(key) != about.get(key))
            raise BatchError(
                f"{address} holds the results of a run that differs in {' and '.join(differing)}; name another folder."
            )
        # Others stop publishing from here on, so what is done can be read.
        store.write(RUN_NAME, json_bytes({"run": store.run, "about": dict(about)}))
        for path in store._files(UNFINISHED):
            fs.rm_file(path)
        return store

    def is_current(self) -> bool:
        """Whether no later run has opened the folder."""
        return bool(self._read_run().get("run") == self.run)

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the folder: under another name first, and then renamed.

        Raises:
            OSError: if it cannot be written.
        """
        target = f"{self.root}/{name}"
        beside = f"{self.root}/{UNFINISHED}/{uuid.uuid4().hex}"
        for path in (beside, target):
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(beside, content)
        self.fs.mv(beside, target)

    def read(self, name: str) -> bytes | None:
        """The content of a file of the folder; None if it is not there."""
        try:
            return bytes(self.fs.cat_file(f"{self.root}/{name}"))
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Remove a file of the folder."""
        self.fs.rm_file(f"{self.root}/{name}")

    def read_part(self, names: Sequence[str]) -> list[Row] | None:
        """The rows of the part of these pictures, without their masks; None if it is not there."""
        path = f"{self.root}/{part_name(names)}"
        return self._rows(path, _ABOUT_SOURCES) if self.fs.exists(path) else None

    def write_part(self, names: Sequence[str], rows: Sequence[Row]) -> None:
        """Publish the part of these pictures, if this run still owns the folder.

        Raises:
            BatchError: if another run has opened it since.
            OSError: if it cannot be written.
        """
        content = parquet_of(rows)
        if not self.is_current():
            raise BatchError(f"Another run has opened {self.root}; this one stops.")
        self.write(part_name(names), content)

    def done_parts(self) -> Iterator[DonePart]:
        """What is done, part by part.

        Raises:
            BatchError: if a part is damaged.
        """
        paths = [path for path in self._files(RESULTS) if path.endswith(".parquet")]
        with ThreadPoolExecutor(_READERS) as readers:
            for start in range(0, len(paths), 64 * _READERS):  # not all of millions at once
                some = paths[start : start + 64 * _READERS]
                for path, rows in zip(some, readers.map(self._sources_in, some), strict=True):
                    errors = sum(row["error"] is not None for row in rows)
                    yield DonePart(path, tuple(row["source"] for row in rows), errors)

    def forget_errors(self) -> int:
        """Take the rows of errors out of all parts, so that their pictures are tried again.

        Returns:
            How many there were.
        """
        count = 0
        for part in self.done_parts():
            if not part.errors:
                continue
            rows = [row for row in self._rows(part.path) if row["error"] is None]
            if rows:
                self.write(f"{RESULTS}/{PurePosixPath(part.path).name}", parquet_of(rows))
            else:
                self.fs.rm_file(part.path)
            count += part.errors
        return count

    def _sources_in(self, path: str) -> list[Row]:
        return self._rows(path, _ABOUT_SOURCES)

    def _rows(self, path: str, columns: Sequence[str] | None = None) -> list[Row]:
        try:
            with self.fs.open(path, "rb") as file:
                return rows_of(file, columns)
        except (ValueError, OSError) as error:
            raise BatchError(
                f"{path} is damaged ({error}). Delete it and run again: its pictures are then segmented anew."
            ) from error

    def _about(self) -> dict[str, Any] | None:
        """What the run was that made the folder; None if there is none."""
        about = self._read_run().get("about")
        return about if isinstance(about, dict) else None

    def _read_run(self) -> dict[str, Any]:
        content = self.read(RUN_NAME)
        try:
            found = {} if content is None else json.loads(content)
        except ValueError as error:
            raise BatchError(f"{self.root}/{RUN_NAME} is damaged; name another folder.") from error
        return found if isinstance(found, dict) else {}

    def _files(self, folder: str) -> list[str]:
        return sorted(self.fs.find(f"{self.root}/{folder}"))


def part_name(names: Sequence[str]) -> str:
    """Where the part of these pictures lies: the same pictures are always the same file."""
    digest = blake2b("\0".join(map(text_of, names)).encode(), digest_size=10)
    return f"{RESULTS}/part-{digest.hexdigest()}.parquet"


def label_map_name(name: str) -> str:
    """Where a picture's label map lies, in one of 256 folders; names that differ never share one."""
    digest = blake2b(text_of(name).encode(), digest_size=10).hexdigest()
    return f"{LABEL_MAPS}/{digest[:2]}/{safe_name(name)[:40]}-{digest[2:]}.png"
