"""A machine without checkpoints, and a hub that has one small file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants as hub_constants

from mobilesamv2.weights import download
from mobilesamv2.zoo import WeightsFile
from tests.fake_hub import FakeHub, running_hub

CONTENT = b"the weights of a small model"
REPO = "someone/some-model"


def entry(content: bytes = CONTENT, **changes: Any) -> WeightsFile:
    """The zoo's knowledge of a file with that content."""
    values: dict[str, Any] = {
        "filename": "small.pt",
        "repo": REPO,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return WeightsFile(**{**values, **changes})


def assert_one_sentence(error: Exception) -> None:
    """No traceback, no list: something that fits on one line."""
    assert "\n" not in str(error)
    assert str(error).endswith(".")


@pytest.fixture(autouse=True)
def empty_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No pauses, no cached files, no folder of weights, the network allowed, and no hub to be found by accident."""
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(download, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(tmp_path / "weights"))
    for name in ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with running_hub(FakeHub(files={f"{REPO}/small.pt": CONTENT})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.address)
        yield hub
