"""A tiny model under every name, and photographs for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import mobilesamv2
from tests.tiny import picture, tiny_segmenter


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name loads the tiny model."""
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())


def saved(path: Path, *, seed: int = 0) -> Path:
    """A photograph at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed=seed)).save(path, format="PNG")
    return path
