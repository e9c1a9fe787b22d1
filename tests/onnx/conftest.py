"""The embedded model and its detector as the command line exports them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def exported() -> Path:
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    from tests.exported_models import exported_nano

    return exported_nano()
