"""Folders of checkpoints on this machine, and whether the network may be used. Reads no checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..zoo import WeightsFile
from . import hub

FOLDER_VARIABLE = "MOBILESAMV2_WEIGHTS_DIR"
"""Environment variable that names a folder to look for checkpoints in before anywhere else."""
OFFLINE_VARIABLES = ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE")
"""Environment variables that forbid the network when set to 1, true, yes or on."""


def folders() -> tuple[Path, ...]:
    """Where checkpoints lie beside the hub's cache, in the order they are looked for."""
    package = Path(__file__).resolve().parents[1]
    named = os.environ.get(FOLDER_VARIABLE)
    # An installed wheel carries `embedded`; a checkout has the same files in `weights` beside the package.
    embedded = (package / "embedded", package.parent / "weights")
    return (Path(named).expanduser(), *embedded) if named else embedded


def locate(file: WeightsFile) -> Path | None:
    """The path of a file in `folders()` or in the hub's cache, unread; None if it is in neither."""
    for folder in folders():
        if (folder / file.name).is_file():
            return folder / file.name
    return None if file.repo is None else hub.cached(file)


def is_here(file: WeightsFile) -> bool:
    """Whether a file lies on this machine with the size it should have. Asks no network and reads no content."""
    path = locate(file)
    return path is not None and file.bytes in (None, path.stat().st_size)


def missing(files: Iterable[WeightsFile]) -> list[WeightsFile]:
    """Those that would have to be fetched."""
    return [file for file in files if not is_here(file)]


def offline() -> bool:
    """Whether the environment forbids the network."""
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in OFFLINE_VARIABLES)
