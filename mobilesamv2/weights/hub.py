"""Asks the hub for files: what it offers, its bytes one chunk at a time, and its cache on this machine.

With `download.py` the only place that knows the hub. What a file must look like is for others to say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import WeightsUnreachableError
from ..zoo import DEFAULT_MODEL, MODELS, Form, WeightsFile

CONNECT_SECONDS = 5.0
"""How long the hub may take to say that it is there."""


@dataclass(frozen=True)
class Offer:
    """What the hub says of a file before it is fetched.

    Args:
        address: where its bytes are.
        etag: the hub's name for its content; for large files their SHA-256.
        bytes: its size; None if the hub does not say.
    """

    address: str
    etag: str
    bytes: int | None

    @property
    def sha256(self) -> str | None:
        """The content's SHA-256 in hexadecimal, if that is what the etag is."""
        return sha256_in(self.etag)


def sha256_in(name: str) -> str | None:
    """`name` if it is a SHA-256 in hexadecimal."""
    return name if re.fullmatch(r"[0-9a-f]{64}", name) else None


def cache_folder() -> Path:
    """The folder of the hub's cache; `HF_HOME` and `HF_HUB_CACHE` move it."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def storage_folder(file: WeightsFile) -> Path:
    """The part of the cache that belongs to a file's repository."""
    from huggingface_hub.file_download import repo_folder_name

    return cache_folder() / repo_folder_name(repo_id=str(file.repo), repo_type="model")


def cached(file: WeightsFile) -> Path | None:
    """The path of a file in the cache; None if it is not there."""
    from huggingface_hub import try_to_load_from_cache

    try:
        path = try_to_load_from_cache(str(file.repo), file.filename, revision=file.revision, cache_dir=cache_folder())
    except OSError:  # a cache that may not be read holds nothing for us
        return None
    return Path(path) if isinstance(path, str) and os.path.isfile(path) else None


def endpoint() -> str:
    """The hub's address: `HF_ENDPOINT`, read now and not when the hub's package was imported."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def reachable(seconds: float = CONNECT_SECONDS) -> bool:
    """Whether the hub answers at all, whatever it says. Asks even where the environment forbids it."""
    from huggingface_hub import utils

    client: Any = utils  # it does not say by type what it exports
    try:
        client.get_session().head(endpoint(), timeout=seconds)
    except transport_errors():
        return False
    return True


def ask(file: WeightsFile) -> Offer:
    """Ask the hub about a file, once and with a short timeout.

    Raises:
        WeightsUnreachableError: if it does not answer, refuses, has no such file, or is no hub.
    """
    import huggingface_hub

    where = endpoint()
    if not _is_web_address(where):
        raise unreachable(file, "HF_ENDPOINT must begin with https:// or http:// and name a host")
    with refusals_as_sentences(file):
        address = huggingface_hub.hf_hub_url(str(file.repo), file.filename, revision=file.revision, endpoint=where)
        metadata = huggingface_hub.get_hf_file_metadata(address, timeout=CONNECT_SECONDS, endpoint=where)
    empty = metadata.size is not None and metadata.size <= 0
    # The etag becomes the name of a file.
    if empty or metadata.commit_hash is None or not re.fullmatch(r"\w[\w.-]{0,200}", metadata.etag or ""):
        raise WeightsUnreachableError(
            f"{file.name} could not be fetched from {where}, which does not answer as a hub does; check HF_ENDPOINT "
            f"and the network's proxy or login page, or use {without_network(file)}."
        )
    return Offer(address=address, etag=str(metadata.etag), bytes=metadata.size)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")
        return (
            parts.scheme in ("http", "https") and bool(host) and text.isascii() and " " not in text and parts.port != 0
        )
    except ValueError:  # brackets, lengths or a port that make no sense
        return False


def place_in_cache(file: WeightsFile) -> Path:
    """Give a file whose content is already among the cache's blobs its name in the cache.

    Raises:
        WeightsUnreachableError: if the hub does not answer any more.
        OSError: if the cache cannot be written.
    """
    import huggingface_hub

    with refusals_as_sentences(file):
        return Path(
            huggingface_hub.hf_hub_download(
                str(file.repo),
                file.filename,
                revision=file.revision,
                cache_dir=cache_folder(),
                endpoint=endpoint(),
                etag_timeout=CONNECT_SECONDS,
            )
        )


@contextmanager
def refusals_as_sentences(file: WeightsFile) -> Iterator[None]:
    """Turn what the hub's client raises into a `WeightsUnreachableError`; errors of the disk pass."""
    from huggingface_hub import errors

    try:
        yield
    except errors.HfHubHTTPError as error:
        raise WeightsUnreachableError(_refused(file, error.response.status_code)) from error
    except transport_errors() as error:
        raise unreachable(file, first_line(error)) from error
    except UnicodeEncodeError as error:
        raise unreachable(file, "the token in HF_TOKEN has letters that no token has") from error


def transport_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises when a connection fails; it has changed its HTTP package over time."""
    from huggingface_hub import errors

    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return (
        http_error,
        errors.OfflineModeIsEnabled,
        errors.FileMetadataError,
        errors.LocalEntryNotFoundError,
        ConnectionError,
        TimeoutError,
    )


def unreachable(file: WeightsFile, reason: str) -> WeightsUnreachableError:
    """The error for a file that the network did not give."""
    return WeightsUnreachableError(
        f"{file.name} could not be fetched from {endpoint()} ({reason}); connect to the network and run again, "
        f"{give_a_copy(file)}, or use {without_network(file)}."
    )


def give_a_copy(file: WeightsFile) -> str:
    """How to name a copy of a file on this machine, for the middle of a sentence."""
    option = "detector" if file.form is Form.ULTRALYTICS else "weights"
    return f"give the path of a copy as `{option}`"


def without_network(file: WeightsFile) -> str:
    """What works all the same in place of a file's model or detector, for the end of a sentence."""
    embedded = MODELS[DEFAULT_MODEL]
    instead = f'detector "{embedded.detector}"' if file.form is Form.ULTRALYTICS else f'model "{embedded.name}"'
    return f"the {instead}, which needs no network"


def _refused(file: WeightsFile, status: int) -> str:
    where = f"{file.name} of {file.repo} at {endpoint()}"
    copy = give_a_copy(file)
    if status in (401, 403):
        return (
            f"{where} may not be read without permission (HTTP {status}); log in with `hf auth login` or set "
            f"HF_TOKEN, {copy}, or use {without_network(file)}."
        )
    if status == 404:
        return f"{where} does not exist (HTTP 404); it may have been moved: {copy}, or use {without_network(file)}."
    return f"{where} could not be fetched (HTTP {status}); try again later, or use {without_network(file)}."


def first_line(error: Exception) -> str:
    """The first line of what an error says, without a full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
