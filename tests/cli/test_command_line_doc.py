"""The commands of docs/command-line.md: those that segment are run as they stand on a tiny model, others are parsed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from mobilesamv2.cli import _parser, main

from .conftest import saved

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(line, comments=True)[1:] for line in re.findall(r"^mobilesamv2 .*", TEXT, flags=re.MULTILINE)]


@pytest.fixture(autouse=True)
def beside_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "aerial.jpg", "holiday/a.png", "holiday/more/b.png", "examples/images/c.png"):
        saved(tmp_path / name)


def test_every_command_segments_as_it_is_written(tiny: None) -> None:
    filtered = 0
    for command in (command for command in COMMANDS if command[0] == "segment"):
        if "examples/images/*" in command:
            command[command.index("examples/images/*")] = "examples/images"
        assert main(command) == 0, command
        (first, *_) = json.loads(Path("out/summary.json").read_text())["photos"]
        if "--clean" in command:
            view = first["request"]["view"]
            assert (view["min_area_percent"], view["mask_nms"], view["hide_nested"], view["clean"]) == (
                0.1,
                0.8,
                True,
                50,
            )
            filtered += 1
    assert filtered == 1
    assert len(json.loads(Path("out/coco.json").read_text())["images"]) == 2


def test_every_other_command_is_one() -> None:
    for command in COMMANDS:
        _parser().parse_args(command)


def test_every_option_that_leaves_masks_out_is_named() -> None:
    for option in (
        "confidence",
        "predicted-iou",
        "stability",
        "min-area",
        "mask-nms",
        "hide-nested",
        "flatten",
        "clean",
    ):
        assert f"`--{option}" in TEXT
