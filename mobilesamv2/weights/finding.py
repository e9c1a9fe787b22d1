"""Finds checkpoints: on this machine, else from the hub; none is handed out before it is verified."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from ..errors import WeightsError, WeightsUnreachableError
from ..zoo import WeightsFile
from . import hub, places
from .download import download
from .hub import Offer
from .record import Learned, learn, record_path
from .verify import expected_sha256, sha256_of, verify


@dataclass(frozen=True)
class Fetched:
    """How far a fetch is.

    Args:
        name: the file that is arriving.
        done_bytes: of all files together that have to be fetched.
        total_bytes: the same at the end; None if the hub does not say.
    """

    name: str
    done_bytes: int
    total_bytes: int | None


def find(file: WeightsFile, *, offline: bool | None = None) -> Path:
    """Give the path of a verified checkpoint, fetching it from the hub if it is nowhere on this machine.

    Looks in `folders()`, then in the hub's cache, then downloads to that cache; a terminal shows the progress. The
    hub at `HF_ENDPOINT` is used where that is set.

    Args:
        file: which one.
        offline: never use the network; None lets `OFFLINE_VARIABLES` decide.

    Raises:
        WeightsUnreachableError: if it is not on this machine and cannot be fetched.
        WeightsError: if an embedded file is missing, or a file is not the one the zoo knows.
    """
    (path,) = show_progress(fetch(file, offline=offline))
    return path


def show_progress(fetching: Generator[Fetched, None, list[Path]]) -> list[Path]:
    """Run a fetch to its end with a progress bar, on stderr and only on a terminal; gives what it returns."""
    with tqdm(unit="B", unit_scale=True, leave=False, disable=None, delay=0.5) as bar:
        while True:
            try:
                step = next(fetching)
            except StopIteration as end:
                paths: list[Path] = end.value
                return paths
            bar.set_description_str(step.name, refresh=False)
            bar.total = step.total_bytes
            bar.update(step.done_bytes - bar.n)


def fetch(*files: WeightsFile, offline: bool | None = None) -> Generator[Fetched, None, list[Path]]:
    """Get files onto this machine, step by step, and verify them; those that are here need no network.

    Closing the generator stops it after the chunk in hand. What has arrived by then lies apart from finished files,
    and the next fetch goes on from there.

    Args:
        files: which ones.
        offline: never use the network; None lets `OFFLINE_VARIABLES` decide.

    Yields:
        How far it is, four times a megabyte; nothing where nothing has to be fetched.

    Returns:
        The paths, in the order of `files`.

    Raises:
        As `find`.
    """
    paths = {file: _verified_here(file) for file in files}
    wanted = [file for file, path in paths.items() if path is None]
    if wanted and (places.offline() if offline is None else offline):
        raise WeightsUnreachableError(
            f"{wanted[0].name} is not on this machine and the network is switched off; allow it "
            f"(unset {' and '.join(places.OFFLINE_VARIABLES)}), or use {hub.without_network(wanted[0])}."
        )
    offers = {file: _checked_offer(file) for file in wanted}
    sizes = [offer.bytes for offer in offers.values()]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    before = 0
    for file, offer in offers.items():
        downloading = _download_and_learn(file, offer)
        while True:
            try:
                done = next(downloading)
            except StopIteration as end:
                paths[file] = end.value
                break
            yield Fetched(name=file.name, done_bytes=before + done, total_bytes=total)
        before += offer.bytes or 0
    return [path for file in files if (path := paths[file]) is not None]


def _verified_here(file: WeightsFile) -> Path | None:
    path = places.locate(file)
    if path is None:
        if file.repo is None:
            raise WeightsError(
                f"{file.name} should have come with the package, but is in none of "
                f"{', '.join(str(folder) for folder in places.folders())}; install the package again."
            )
        return None
    verify(path, file)
    if hub.sha256_in(path.resolve().name) and expected_sha256(file) is None:  # another program fetched it
        _learn(file, path, path.resolve().name)
    return path


def _checked_offer(file: WeightsFile) -> Offer:
    """Ask the hub, and do not begin to fetch what is not the file that is wanted."""
    offer = hub.ask(file)
    where = f"{hub.endpoint()} offers another {file.name} than"
    cure = f"If you have the right one, {hub.give_a_copy(file)}, or use {hub.without_network(file)}."
    if file.bytes is not None and offer.bytes is not None and offer.bytes != file.bytes:
        raise WeightsError(f"{where} this package knows: {offer.bytes:,} bytes, expected {file.bytes:,}. {cure}")
    expected = expected_sha256(file)
    if expected is not None and offer.sha256 not in (None, expected):
        known = "this package knows" if file.sha256 else f"was fetched before (see {record_path()})"
        if not file.sha256:
            cure = "If that is meant, run `mobilesamv2 weights fetch --renew` with the model's name."
        raise WeightsError(f"{where} {known}: SHA-256 {offer.sha256:.8}…, expected {expected[:8]}…. {cure}")
    return offer


def _download_and_learn(file: WeightsFile, offer: Offer) -> Generator[int, None, Path]:
    known = expected_sha256(file)
    path = yield from download(file, offer, sha256=known or offer.sha256)
    if path.resolve().name != offer.etag:  # copied where there are no links, or replaced meanwhile
        verify(path, file)
    if known is None:
        _learn(file, path, offer.sha256 or sha256_of(path))
    return path


def _learn(file: WeightsFile, path: Path, sha256: str) -> None:
    learn(file, Learned(sha256=sha256, bytes=path.stat().st_size))
