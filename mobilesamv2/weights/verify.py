"""Compares a file's size and SHA-256 with what they must be, before anything reads the file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import WeightsError
from ..zoo import WeightsFile
from . import hub
from .record import learned


def hash_source(file: WeightsFile) -> str:
    """Where a file's expected hash comes from: "pinned" in the zoo, "learned" at a fetch before, or "unknown"."""
    if file.sha256 is not None:
        return "pinned"
    return "unknown" if file.repo is None or learned(file) is None else "learned"


def expected_sha256(file: WeightsFile) -> str | None:
    """A file's SHA-256 as the zoo or the record of earlier fetches has it; None if neither has."""
    if file.sha256 is not None or file.repo is None:
        return file.sha256
    before = learned(file)
    return None if before is None else before.sha256


def verify(path: Path, file: WeightsFile) -> None:
    """Compare a file's size and SHA-256 with those the zoo, else the record of earlier fetches, else the cache knows.

    Raises:
        WeightsError: if they differ, saying what to delete.
    """
    cure = f"Delete {path.resolve()} and run again to fetch a fresh copy."
    if file.repo is None:
        cure = "Install the package again, or check the file out anew."
    size = path.stat().st_size
    if file.bytes is not None and size != file.bytes:
        raise WeightsError(f"{path.name} has {size:,} bytes, expected {file.bytes:,}. {cure}")
    # Large files lie in the hub's cache under their SHA-256.
    sha256 = expected_sha256(file) or hub.sha256_in(path.resolve().name)
    if sha256 is not None:
        found = sha256_of(path)
        if found != sha256:
            raise WeightsError(f"{path.name} has SHA-256 {found[:8]}…, expected {sha256[:8]}…. {cure}")


def sha256_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
