"""The programs of docs/programs.md, run as they stand against the page on a segmenter without a model."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

import mobilesamv2
from tests.tiny import tiny_segmenter

from .conftest import FakeApp

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "programs.md").read_text(encoding="utf-8")
CLIENT, LIBRARY = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def beside_a_photo(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(photo, tmp_path / "photo.jpg")


def test_the_client_gets_what_it_asks_for(fake_app: FakeApp) -> None:
    values: dict[str, Any] = {}
    program = CLIENT.replace("http://127.0.0.1:7860", fake_app.address)
    assert program != CLIENT
    exec(program, values)  # it is our own text
    values["client"].close()
    with zipfile.ZipFile(values["archive"]) as packed:
        names = set(packed.namelist())
    assert {"photo/panoptic.json", "photo/yolo/labels/photo.txt", "photo/uncovered.png"} <= names


def test_the_library_writes_the_same_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name: tiny_segmenter())
    exec(LIBRARY, {})
    with zipfile.ZipFile("masks.zip") as packed:
        assert {"coco.json", "cvat.xml", "overlay.png"} <= set(packed.namelist())
