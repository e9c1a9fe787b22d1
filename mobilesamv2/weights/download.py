"""Downloads a file into the hub's cache one chunk at a time: goes on where a broken download stopped.

Nothing gets its name in the cache before its content has been checked.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import filelock

from ..errors import WeightsError, WeightsUnreachableError
from ..zoo import WeightsFile
from . import hub
from .hub import Offer
from .verify import sha256_of

CHUNK_BYTES = 1 << 18
"""A download can be stopped, and says how far it is, after each of these."""
SILENT_SECONDS = 20.0
"""How long the hub may send nothing."""
ATTEMPTS = 5
"""How often in a row a connection may break without having brought anything."""
PAUSE_SECONDS = 1.0
"""Between such attempts."""
POLL_SECONDS = 0.2
"""How often to look whether another process has finished fetching the same file."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def download(file: WeightsFile, offer: Offer, *, sha256: str | None) -> Generator[int, None, Path]:
    """Fetch a file; closing the generator stops it, and what has arrived is kept for the next time.

    Another process that fetches the same file is waited for, and its file is taken.

    Args:
        file: which one.
        offer: what the hub says of it.
        sha256: what its content must be; None: not known.

    Yields:
        How many of its bytes are here.

    Returns:
        Its path in the cache.

    Raises:
        WeightsUnreachableError: if the network breaks, or the cache has no room or cannot be written.
        WeightsError: if other bytes arrive than were offered; they are thrown away.
    """
    blob = hub.storage_folder(file) / "blobs" / offer.etag
    lock = hub.cache_folder() / ".locks" / blob.parents[1].name / f"{offer.etag}.lock"
    partial = blob.with_name(f"{offer.etag}.incomplete")
    with _disk_errors_as_sentences(file):
        blob.parent.mkdir(parents=True, exist_ok=True)
        lock.parent.mkdir(parents=True, exist_ok=True)
        # Not bound to a thread: a page drives a generator from several.
        turn = filelock.FileLock(lock, thread_local=False)
        while True:
            try:
                turn.acquire(timeout=POLL_SECONDS)
                break
            except filelock.Timeout:
                yield partial.stat().st_size if partial.exists() else 0
        try:
            if not blob.exists():
                yield from _bytes(file, offer, partial)
                _check(file, partial, sha256)
                os.replace(partial, blob)
        finally:
            turn.release()
        return hub.place_in_cache(file)


def _bytes(file: WeightsFile, offer: Offer, partial: Path) -> Generator[int, None, None]:
    """Fill `partial` up, yielding its size after each chunk; breaks of the connection are mended."""
    with partial.open("r+b" if partial.exists() else "w+b") as out:
        out.seek(0, os.SEEK_END)
        if offer.bytes is None or out.tell() > offer.bytes:
            _begin_anew(out)
        _check_room(file, partial.parent, (offer.bytes or 0) - out.tell())
        failures = 0
        while offer.bytes is None or out.tell() < offer.bytes:
            before = out.tell()
            try:
                yield from _stream(file, offer, out)
                if offer.bytes is None:
                    return
                reason = f"the connection ended after {out.tell():,} of {offer.bytes:,} bytes"
            except hub.transport_errors() as error:
                reason = hub.first_line(error)
            failures = 0 if out.tell() > before else failures + 1
            if failures >= ATTEMPTS:
                raise hub.unreachable(file, reason)
            if failures:
                time.sleep(PAUSE_SECONDS)


def _stream(file: WeightsFile, offer: Offer, out: IO[bytes]) -> Generator[int, None, None]:
    """Append one answer of the hub to `out`, yielding its size after each chunk."""
    from huggingface_hub import utils

    client: Any = utils  # it does not say by type what it exports
    headers = {**client.build_hf_headers(), "Accept-Encoding": "identity"}
    if out.tell():
        headers["Range"] = f"bytes={out.tell()}-"
    with client.get_session().stream("GET", offer.address, headers=headers, timeout=SILENT_SECONDS) as response:
        if response.status_code == 416:  # it has no more than came so far, whatever it said
            return
        with hub.refusals_as_sentences(file):
            client.hf_raise_for_status(response)
        goes_on = str(response.headers.get("Content-Range")).startswith(f"bytes {out.tell()}-")
        if response.status_code != 206 or not goes_on:
            _begin_anew(out)  # the whole file comes again
        for chunk in response.iter_raw(CHUNK_BYTES):
            out.write(chunk)
            out.flush()
            if offer.bytes is not None and out.tell() > offer.bytes:
                sent = out.tell()
                _begin_anew(out)
                raise WeightsError(
                    f"{hub.endpoint()} sends more than it offers: {sent:,} bytes and more of {file.name}, which "
                    f"should have {offer.bytes:,}. What came was thrown away; try again later, or another "
                    "HF_ENDPOINT."
                )
            yield out.tell()


def _begin_anew(out: IO[bytes]) -> None:
    out.seek(0)
    out.truncate()


def _check(file: WeightsFile, partial: Path, sha256: str | None) -> None:
    found = sha256_of(partial) if sha256 is not None else None
    if found is not None and found != sha256:
        partial.unlink()
        raise WeightsError(
            f"{file.name} arrived from {hub.endpoint()} with SHA-256 {found[:8]}…, expected {sha256:.8}…. It was "
            "thrown away; run again, and if it comes again, the copy there was changed: take another HF_ENDPOINT."
        )


def _check_room(file: WeightsFile, folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise _no_room(file, f"{needed:,} bytes are needed and {free:,} are free")


def _no_room(file: WeightsFile, reason: str) -> WeightsUnreachableError:
    return WeightsUnreachableError(
        f"There is no room for {file.name} in {hub.cache_folder()} ({reason}); free some, or set HF_HOME to a folder "
        f"on a larger disk, or use {hub.without_network(file)}."
    )


@contextmanager
def _disk_errors_as_sentences(file: WeightsFile) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or hub.first_line(error)
        if error.errno in _FULL:
            raise _no_room(file, reason) from error
        raise WeightsUnreachableError(
            f"{file.name} cannot be kept, for the hub's cache {hub.cache_folder()} cannot be written ({reason}); set "
            f"HF_HOME to a folder that can, or put a copy into a folder that MOBILESAMV2_WEIGHTS_DIR names, or use "
            f"{hub.without_network(file)}."
        ) from error
