"""Cache of exported files on this machine: written at the first use, found at the next."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import torch

import mobilesamv2

from .. import weights as checkpoints
from ..build import SamWeights, given_files
from ..zoo import DETECTORS, MODELS
from .writing import DESCRIPTION, OPSET, export_onnx

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "MOBILESAMV2_ONNX_DIR"
"""Environment variable that names the folder of exported files."""


def cached_segmenter(name: str, weights: SamWeights | None = None) -> Path:
    """The folder of a model's exported files; takes what `export_onnx` takes, and raises what it raises."""
    if weights is None:
        paths = checkpoints.show_progress(checkpoints.fetch(*MODELS[name].files.values()))
    else:
        paths = list(given_files(weights).values())
    folder = _folder(name, paths)
    if not (folder / DESCRIPTION).is_file():
        log.info("Exporting %s to %s.", name, folder)
        export_onnx(name, folder, weights=weights, with_detector=False)
    return folder


def cached_detector(name_or_path: str | Path) -> Path:
    """The folder of a detector's exported file; takes what `export_onnx` takes, and raises what it raises."""
    entry = DETECTORS.get(str(name_or_path))
    if entry is None:
        paths = [checkpoints.expanded(name_or_path)]
    else:
        paths = checkpoints.show_progress(checkpoints.fetch(*entry.files.values()))
    folder = _folder(Path(name_or_path).name, [path for path in paths if path.is_file()])
    if not (folder / DESCRIPTION).is_file():
        log.info("Exporting %s to %s.", name_or_path, folder)
        export_onnx(str(name_or_path), folder)
    return folder


def _folder(name: str, paths: Iterable[Path]) -> Path:
    """Another one for other weights, and for what else makes other files."""
    made_of = [mobilesamv2.__version__, torch.__version__, str(OPSET), *map(checkpoints.sha256_of, paths)]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    named = os.environ.get(FOLDER_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(named).expanduser() if named else cache / "mobilesamv2" / "onnx"
    return root / f"{name}-{digest[:16]}"
