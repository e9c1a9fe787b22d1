"""Refuses files that are no checkpoints: web pages, pointers of Git LFS, compressed archives. Unpacks nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import WeightsError

_LFS = b"version https://git-lfs.github.com/spec/"
_TEXT = frozenset((*b"\t\n\r", *range(32, 127)))
_WEB_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml")


def refuse_other_files(path: Path) -> None:
    """Let a file pass unless its form alone tells that it is no checkpoint.

    PyTorch writes its zip archives without compression. Its reader unpacks compressed ones all the same, and a few
    megabytes may become more than the memory holds.

    Raises:
        WeightsError: if it is a web page, a pointer of Git LFS, any other text or a compressed archive, saying which.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    except OSError:
        return  # that is for the file's reader to say
    if start.startswith(_WEB_PAGES):
        raise WeightsError(
            f"{path} is a web page and no checkpoint: its download gave a page of the site, often one to log in or to "
            "look at the file. Take the address of the file itself."
        )
    if start.startswith(_LFS):
        raise WeightsError(
            f"{path} is a pointer of Git LFS and no checkpoint: the repository was cloned without its large files. "
            "Run `git lfs pull` there, or download the file from the repository's page."
        )
    if start and all(byte in _TEXT for byte in start):
        raise WeightsError(
            f"{path} is a text and no checkpoint; it begins with {start[:40].decode()!r}. A download that failed often "
            "leaves its message in the file: get it again."
        )
    if _is_packed(path):
        raise WeightsError(
            f"{path} is a compressed archive, and no checkpoint of PyTorch is; unpack it, or get the file from where "
            "the model was published."
        )


def _is_packed(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # no archive, or a damaged one: that is for its reader to say
