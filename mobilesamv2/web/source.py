"""The program's own source as a file to download: what the licence asks of a page on a network, changed or not."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_BESIDE = (
    "app.py",
    "check.sh",
    "constraints.txt",
    "LICENSE",
    "pyproject.toml",
    "README.md",
    "requirements.txt",
    "benchmarks",
    "deploy",
    "docs",
    "examples",
    "tests",
    "training",
    "weights",
)
"""What belongs to the program in a checkout, beside the package."""
_SUFFIXES = frozenset((".conf", ".css", ".js", ".json", ".md", ".py", ".service", ".sh", ".toml", ".txt", ""))
"""Text only: photographs, recorded values and weights would make it a hundred times as large."""


@functools.cache
def source_archive() -> Path:
    """A ZIP of the source that is running, written once per process and removed with it."""
    folder = Path(tempfile.mkdtemp(prefix="mobilesamv2-source-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    archive = folder / "mobilesamv2-source.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in _files():
            packed.write(path, Path("mobilesamv2-source") / path.relative_to(_PACKAGE.parent))
    return archive


def _files() -> Iterator[Path]:
    is_checkout = (_PACKAGE.parent / "pyproject.toml").is_file()
    roots = [_PACKAGE, *(_PACKAGE.parent / name for name in _BESIDE if is_checkout)]
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file() and path.suffix in _SUFFIXES and "__pycache__" not in path.parts:
                yield path
