"""The examples of docs/formats.md, run as they stand on the tiny model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.export import DATASETS, FORMATS
from mobilesamv2.types import Masks
from tests.tiny import picture, tiny_segmenter

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture(autouse=True)
def beside_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())
    for seed, name in enumerate(("a.jpg", "b.jpg", "x/a.jpg")):
        Path("holiday", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed=seed)).save(Path("holiday", name))


def test_every_format_is_in_the_table() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row.split("|")[1])]
    assert named == list(FORMATS)
    assert named[:7] == list(DATASETS)


def test_commands_and_programs_do_what_they_say() -> None:
    (commands,) = blocks("bash")
    for line in commands.splitlines():
        program, *arguments = shlex.split(line, comments=True)
        assert program == "mobilesamv2"
        assert main(arguments) == 0, line
    for path in (
        *("coco.json", "yolo/labels/x/a.txt", "labelme/x/a.json", "panoptic/x/a.png", "cvat.xml"),
        *("a/coco_polygons.json", "a/uncovered.png"),
    ):
        assert Path("out", path).is_file(), path
    values: dict[str, object] = {}
    for program in blocks("python"):
        exec(program, values)  # it is our own text
    assert Path("data/yolo/labels/b.txt").is_file()
    assert values["file_name"] == "a.jpg"
    assert isinstance(values["masks"], Masks)
