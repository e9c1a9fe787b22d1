"""The source that visitors can have is the source that runs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import mobilesamv2
from mobilesamv2.web.source import source_archive

PACKAGE = Path(mobilesamv2.__file__).parent


def test_the_archive_holds_every_file_of_the_running_package() -> None:
    with zipfile.ZipFile(source_archive()) as packed:
        assert packed.testzip() is None
        names = set(packed.namelist())
        for path in PACKAGE.rglob("*.py"):
            name = f"mobilesamv2-source/mobilesamv2/{path.relative_to(PACKAGE).as_posix()}"
            assert packed.read(name) == path.read_bytes()
    assert {"mobilesamv2-source/app.py", "mobilesamv2-source/LICENSE"} <= names
    assert "mobilesamv2-source/mobilesamv2/web/styles/page.css" in names
    assert "mobilesamv2-source/mobilesamv2/web/scripts/names.js" in names


def test_the_archive_is_small_and_holds_no_picture_and_no_weights() -> None:
    archive = source_archive()
    assert archive.stat().st_size < 2_000_000
    with zipfile.ZipFile(archive) as packed:
        assert not [name for name in packed.namelist() if name.endswith((".jpg", ".png", ".safetensors", ".pyc"))]
