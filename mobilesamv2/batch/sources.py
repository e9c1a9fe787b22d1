"""Names of the pictures in folders, patterns, lists and at addresses, and how a picture is read by its name.

A picture's name is its full path, or the address by which fsspec finds it. Names come one by one, never as a list.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import InvalidImageError, MobileSamError
from ..images import SUFFIXES, ReadImage, read_image

LIST_SUFFIX = ".txt"
"""Of a text file that names a picture in each line."""
_LIST_ENCODING = "utf-8-sig"
"""Windows' programs begin a text with a byte order mark, which is no part of the first name."""
_WILDCARDS = frozenset("*?[")


class SourceError(MobileSamError, ValueError):
    """What was given as pictures cannot be found or listed."""


def names_of(sources: Iterable[str], *, without: str | None = None) -> Iterator[str]:
    """Name the pictures that `sources` stand for, one by one; some perhaps more than once.

    Args:
        sources: each a picture, a folder (searched with all folders within, hidden ones left out), a pattern with
            `*`, `?`, `[...]` or `**`, a text file with a picture in each line, or the address of any of these:
            `s3://bucket/folder`, `memory://list.txt`, `zip://**::photos.zip`. In folders and for patterns a picture
            is known by its suffix; what is named itself is taken whatever it is.
        without: a folder or its address, of which no picture is taken: where results go.

    Raises:
        SourceError: if a source is not there, cannot be listed or stands for no picture.
    """
    for source in sources:
        count = 0
        for name in _names_of_one(source, None if without is None else full_name(without)):
            count += 1
            yield name
        if not count:
            raise SourceError(f"{source} stands for no pictures.")


def full_name(source: str) -> str:
    """A path from the root on, or an address; of a local file never an address."""
    if source.startswith("file://") and "::" not in source:
        source = source.removeprefix("file://")
    return source if "://" in source else os.path.abspath(source)


def read_named(name: str) -> ReadImage:
    """Read a picture by its name; one that lies elsewhere is fetched into a temporary file first.

    Raises:
        InvalidImageError: if it cannot be fetched or is no picture that can be read.
    """
    if "://" not in name:
        return read_image(name)
    with tempfile.TemporaryDirectory(prefix="mobilesamv2-") as folder:
        try:
            fs, path = located(name)
            copy = Path(folder) / (PurePosixPath(path).name or "picture")
            fs.get_file(path, str(copy))
        except Exception as error:  # each file system raises what its own library does
            raise InvalidImageError(f"{name} cannot be fetched: {_reason(error)}") from error
        return read_image(copy)


def _names_of_one(source: str, without: str | None) -> Iterator[str]:
    name = full_name(source)
    if "://" not in name:
        yield from _local_names(source, name, without)
        return
    fs, path = located(name)
    archive = name.partition("::")[2]
    try:
        if path.endswith(LIST_SUFFIX) and fs.isfile(path):
            with fs.open(path, "rt", encoding=_LIST_ENCODING, errors="surrogateescape") as lines:
                yield from _listed(lines)
            return
        for found in _remote_paths(fs, path, source):
            address = str(fs.unstrip_protocol(found))
            if not _is_within(address, without):
                yield f"{address}::{archive}" if archive and "://" not in found else address
    except SourceError:
        raise
    except Exception as error:  # each file system raises what its own library does
        raise SourceError(f"{source} cannot be listed: {_reason(error)}") from error


def _local_names(source: str, name: str, without: str | None) -> Iterator[str]:
    if os.path.isdir(name):
        found: Iterable[str] = _walked(name)
    elif os.path.exists(name):
        if not name.endswith(LIST_SUFFIX):
            yield name
            return
        with open(name, encoding=_LIST_ENCODING, errors="surrogateescape") as lines:
            yield from _listed(lines)
        return
    elif _WILDCARDS & set(source):
        found = (path for path in glob.iglob(name, recursive=True) if _is_picture(path))
    else:
        raise SourceError(f"There is no file or folder {source}.")
    yield from (path for path in found if not _is_within(path, without))


def _remote_paths(fs: Any, path: str, source: str) -> Iterator[str]:
    if _WILDCARDS & set(path):
        yield from (found for found in fs.glob(path) if _is_picture(found))
    elif fs.isdir(path):
        yield from _walked_elsewhere(fs, path)
    elif not fs.exists(path):
        raise SourceError(f"There is no file or folder {source}.")
    else:
        yield path


def _walked(folder: str) -> Iterator[str]:
    """Pictures of a folder in the order of their names, then those of each folder in it."""
    for place, within, files in os.walk(folder, onerror=_raise):
        within[:] = sorted(name for name in within if not name.startswith("."))
        yield from (os.path.join(place, name) for name in sorted(files) if _is_picture(name))


def _raise(error: OSError) -> None:
    raise error


def _walked_elsewhere(fs: Any, folder: str) -> Iterator[str]:
    """The same in another file system."""
    for place, within, files in fs.walk(folder, detail=True, on_error="raise"):
        for name in [name for name in within if name.startswith(".")]:
            del within[name]  # not entered
        yield from (f"{place.rstrip('/')}/{name}" for name in sorted(files) if _is_picture(name))


def _listed(lines: Iterable[str]) -> Iterator[str]:
    return (full_name(line.strip()) for line in lines if line.strip())


def _is_picture(path: str) -> bool:
    name = PurePosixPath(path)
    return name.suffix.lower() in SUFFIXES and not name.name.startswith(".")


def _is_within(name: str, folder: str | None) -> bool:
    return folder is not None and name.startswith(folder.rstrip("/") + "/")


def located(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it.

    Raises:
        SourceError: if fsspec knows no such file system or lacks its package.
    """
    import fsspec

    try:
        fs, path = fsspec.url_to_fs(address)
    except (ImportError, ValueError, OSError) as error:
        raise SourceError(f"{address} cannot be reached: {_reason(error)}") from error
    return fs, str(path)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if text.endswith(".") else f"{text}."
