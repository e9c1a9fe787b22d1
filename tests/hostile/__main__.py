"""Writes what happens to every input into docs/reliability.md: python -m tests.hostile"""

from __future__ import annotations

import tempfile
from pathlib import Path

from .report import DOCUMENT, with_table
from .server import running
from .table import find

if __name__ == "__main__":
    folders = tempfile.TemporaryDirectory
    with folders() as folder, folders() as served, running(Path(served)) as server:
        found = find(server, Path(folder))
    DOCUMENT.write_text(with_table(DOCUMENT.read_text(encoding="utf-8"), found.rows), encoding="utf-8")
    print(f"{len(found.rows)} inputs; well: {found.is_well}; forbidden: {found.forbidden or 'nothing'}")
