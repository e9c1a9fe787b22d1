"""One server for all tests of hostile input."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    # Not in pytest's folders: sentences with a path in them are cut, and the table is to be the same everywhere.
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as served:
        yield served
