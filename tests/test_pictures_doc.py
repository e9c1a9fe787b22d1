"""The examples of docs/pictures.md, run as they stand on the tiny model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.images import load_image
from tests.tiny import picture, tiny_segmenter

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "pictures.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def beside_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mobilesamv2, "load", lambda name: tiny_segmenter())
    Image.fromarray(picture()).save(tmp_path / "photo.jpg")


def test_every_form_of_one_picture_gives_the_same_masks() -> None:
    values: dict[str, object] = {}
    exec(PYTHON[0], values)  # it is our own text
    results = [value for name, value in values.items() if name.startswith("from_")]
    assert len(results) == 6
    masks = [result.masks.rles for result in results]  # type: ignore[attr-defined]
    assert all(rles == masks[0] for rles in masks)


def test_the_example_of_a_tiff_of_four_bands() -> None:
    values = {"np": np, "model": tiny_segmenter(), "picture": picture()}
    exec(PYTHON[1], values)  # it is our own text
    read = load_image("satellite.tif").astype(int)
    np.testing.assert_allclose(read, picture() * (255 / picture().max()), atol=1)


def test_the_command_for_photographs_of_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())
    (line,) = re.findall(r"^mobilesamv2 (segment .*heic .*)$", TEXT, flags=re.MULTILINE)
    command = line.split()
    for name in command[1:3]:
        Image.fromarray(picture()).save(name)
    assert main(command) == 0
    assert len(json.loads(Path("out/summary.json").read_text())["photos"]) == 2


def test_the_example_of_tiles() -> None:
    Image.fromarray(picture(height=500, width=900)).save("photo.jpg")
    values = {"mobilesamv2": mobilesamv2, "model": tiny_segmenter()}
    exec(PYTHON[2], values)  # it is our own text
    assert values["result"].to_record()["tiles"] == {"side": 640, "overlap": 0.25, "windows": 2}  # type: ignore[attr-defined]


@pytest.mark.parametrize("line", re.findall(r"^mobilesamv2 (segment .*?) *#", TEXT, flags=re.MULTILINE))
def test_the_commands_of_tiles(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())
    assert main(line.split()) == 0
    (record,) = json.loads(Path("out/summary.json").read_text())["photos"]
    assert record["tiles"]["side"] == (640 if "640" in line else 1024)
