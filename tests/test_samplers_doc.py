"""What docs/how-it-works.md and docs/command-line.md say of samplers, run as it stands on the tiny model."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

import mobilesamv2
from mobilesamv2.cli import _parser
from mobilesamv2.cli.options import request_of
from mobilesamv2.sampler_kinds import SAMPLERS
from tests.tiny import picture, tiny_segmenter

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "how-it-works.md").read_text(encoding="utf-8")


def test_the_example_of_samplers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mobilesamv2, "load", lambda name: tiny_segmenter())
    Image.fromarray(picture()).save("photo.jpg")
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    values: dict[str, object] = {}
    exec(example, values)  # it is our own text
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(SAMPLERS)
    assert values["result"].sampler == "coverage"  # type: ignore[attr-defined]


def test_the_table_has_a_row_for_each_sampler() -> None:
    assert re.findall(r"^\| `([\w-]+)` \|", TEXT, flags=re.MULTILINE) == list(SAMPLERS)


def test_the_command_line_is_asked_as_it_is_written() -> None:
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    (line,) = (line for line in text.splitlines() if "--also box-centres" in line)
    options = _parser().parse_args([*shlex.split(line)[1:], "--single-mask"])
    asked = [request_of(options), *(request_of(options, also) for also in options.also)]
    assert [str(request) for request in asked] == [
        *("object-aware:320", "box-centres:320:single", "hierarchical:16:single", "coverage:320:single"),
    ]
