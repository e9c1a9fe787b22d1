"""The short programs in examples/ keep up with the library. A tiny model stands in for the embedded one."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

import mobilesamv2
from tests.tiny import picture, tiny_segmenter

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.fixture(autouse=True)
def in_an_empty_folder_on_the_tiny_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mobilesamv2, "load", lambda name: tiny_segmenter())
    Image.fromarray(picture()).save(tmp_path / "photo.png")


def _run(name: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "ask_for_objects.py",
        "compare_samplers.py",
        "segment_everything.py",
    }


def test_segment_everything(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _run("segment_everything.py", "photo.png", monkeypatch=monkeypatch)
    assert "of 3 prompts" in capsys.readouterr().out
    assert json.loads(Path("masks.json").read_text())
    with Image.open("overlay.png") as overlay:
        assert overlay.size == (60, 40)


def test_ask_for_objects(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _run("ask_for_objects.py", monkeypatch=monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["asked by a box"] * 2 + ["asked by a point"] * 3


def test_compare_samplers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _run("compare_samplers.py", ".", monkeypatch=monkeypatch)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("photo.png")
    assert "of 256 points" in line
