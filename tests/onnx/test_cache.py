"""Exported files are made once for the weights they are of. Nothing is exported here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.onnx import cache


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were exported, one after the other."""
    made: list[str] = []

    def export(name: str, folder: Path, **options: Any) -> None:
        made.append(name)
        folder.mkdir(parents=True)
        (folder / "model.json").touch()

    monkeypatch.setattr(cache, "export_onnx", export)
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "cache"))
    return made


def test_a_model_is_exported_once(exports: list[str], tmp_path: Path) -> None:
    folder = cache.cached_segmenter("nano")
    assert folder == cache.cached_segmenter("nano")
    assert folder.parent == tmp_path / "cache"
    assert cache.cached_detector("nano-objects") != folder
    assert exports == ["nano", "nano-objects"]


def test_other_weights_are_exported_again(exports: list[str], tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    weights.write_bytes(b"one")
    first = cache.cached_segmenter("nano", weights)
    weights.write_bytes(b"two")
    assert cache.cached_segmenter("nano", weights) != first
    assert exports == ["nano", "nano"]


def test_without_the_variable_the_folder_is_that_of_the_user(
    exports: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(cache.FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cached_detector("nano-objects").parent == tmp_path / "mobilesamv2" / "onnx"
