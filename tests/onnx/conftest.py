"""The embedded model and its detector as the command line exports them, made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from mobilesamv2.cli import main

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    assert main(["export", "nano", "-o", str(folder)]) == 0
    return folder
