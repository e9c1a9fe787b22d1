"""Tells archives that grow when they are read, which nobody needs, from those that PyTorch writes. Reads no content."""

from __future__ import annotations

import zipfile
from pathlib import Path

from ..errors import WeightsError


def refuse_packed(path: Path) -> None:
    """Let a file pass unless it is a zip archive with compressed entries: PyTorch writes its checkpoints as they are.

    Torch's reader unpacks them all the same, and a few megabytes may become more than the memory holds.

    Raises:
        WeightsError: if an entry is compressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            packed = any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # no archive, or a damaged one: that is for its reader to say
    if packed:
        raise WeightsError(
            f"{path} is a compressed archive, and no checkpoint of PyTorch is; unpack it, or get the file from where "
            "the model was published."
        )
