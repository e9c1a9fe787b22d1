"""Record of size and hash of fetched files whose hash the zoo does not know, so that a changed file is noticed.

The record is a JSON file in the hub's cache: {"owner/name/file@revision": {"sha256": …, "bytes": …}}.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import filelock

from ..errors import WeightsError
from ..zoo import WeightsFile
from . import hub

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Learned:
    """What a file looked like when it was fetched: SHA-256 in hexadecimal and size."""

    sha256: str
    bytes: int


def record_path() -> Path:
    """Where the record is. The hub's own tools take a file beside the repositories for damage, but not there."""
    return hub.cache_folder() / ".locks" / "mobilesamv2-hashes.json"


def learned(file: WeightsFile) -> Learned | None:
    """What is remembered of a file; None if nothing.

    Raises:
        WeightsError: if the record is there and damaged.
    """
    return _read().get(_key(file))


def learn(file: WeightsFile, found: Learned) -> None:
    """Remember a file; what was remembered before is replaced. In a cache that may not be written: only logged."""
    try:
        _change(file, found)
    except OSError as error:
        log.warning("The hash of %s could not be remembered in %s (%s).", file.name, record_path(), error.strerror)


def forget(file: WeightsFile) -> None:
    """Remember a file no longer, so that the next one that is fetched is taken.

    Raises:
        OSError: if the record cannot be written.
    """
    if learned(file) is not None:
        _change(file, None)


def _key(file: WeightsFile) -> str:
    return f"{file.repo}/{file.filename}@{file.revision or 'main'}"


def _read() -> dict[str, Learned]:
    path = record_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: Learned(sha256=str(value["sha256"]), bytes=int(value["bytes"])) for key, value in content.items()}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"{path}, which remembers the hashes of fetched files, cannot be read or is damaged; delete it and "
            "run again."
        ) from error


def _change(file: WeightsFile, found: Learned | None) -> None:
    """Replace the record as a whole, so that nobody reads half of it; one process at a time."""
    path = record_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        content = _read()
        content.pop(_key(file), None)
        if found is not None:
            content[_key(file)] = found
        text = json.dumps({key: asdict(value) for key, value in sorted(content.items())}, indent=1)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".new")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(name, path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
