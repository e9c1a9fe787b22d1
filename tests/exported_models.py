"""The embedded model as ONNX, exported by the command once for all test runs on the same code.

An export takes a minute, and tests with and without a browser run in processes of their own.
"""

from __future__ import annotations

import getpass
import hashlib
import tempfile
from pathlib import Path

import onnxscript
import torch

from mobilesamv2.cli import main
from mobilesamv2.onnx.writing import DESCRIPTION

ROOT = Path(__file__).resolve().parent.parent


def exported_nano() -> Path:
    """The folder that `mobilesamv2 export nano` writes, named after all that the files depend on."""
    digest = hashlib.sha256(f"{torch.__version__} {onnxscript.__version__}".encode())
    for path in sorted([*ROOT.glob("mobilesamv2/**/*.py"), *ROOT.glob("weights/*.safetensors")]):
        digest.update(path.read_bytes())
    root = Path(tempfile.gettempdir()) / f"mobilesamv2-exported-of-{getpass.getuser()}"
    folder = root / digest.hexdigest()[:16]
    if not (folder / DESCRIPTION).is_file():
        assert main(["export", "nano", "-o", str(folder)]) == 0
    return folder
