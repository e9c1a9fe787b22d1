"""The notebooks of the library and of evaluation, cell by cell; a tiny model stands in for the embedded one."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mobilesamv2
from tests.tiny import picture, tiny_segmenter

NOTEBOOKS = Path(__file__).resolve().parents[1] / "examples" / "notebooks"


@pytest.fixture(autouse=True)
def in_a_folder_beside_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("images", "notebooks"):
        (tmp_path / folder).mkdir()
    for seed, name in enumerate(("coffee.png", "cat.png")):
        Image.fromarray(picture(seed=seed)).save(tmp_path / "images" / name)
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())


def executed(name: str) -> tuple[dict[str, Any], list[Any]]:
    """What the names of a notebook stand for in the end, and the value that each cell shows; None for none."""
    content = json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in content["cells"]:
        if cell["cell_type"] != "code":
            continue
        assert cell["outputs"] == [], f"{name} is kept without its outputs"
        body = ast.parse("".join(cell["source"])).body
        last = ast.Expression(end.value) if isinstance(end := body[-1], ast.Expr) else None
        if last is not None:
            body.pop()
        exec(compile(ast.Module(body, []), name, "exec"), names)  # it is our own text
        shown.append(None if last is None else eval(compile(last, name, "eval"), names))
    return names, shown


def test_every_notebook_is_tested() -> None:
    names = {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    assert names == {
        "batch.ipynb",
        "evaluation.ipynb",
        "library.ipynb",
    }  # that of batch in test_batch_notebook.py


def test_library(capsys: pytest.CaptureFixture[str]) -> None:
    names, shown = executed("library.ipynb")
    assert isinstance(shown[1], Image.Image)
    assert shown[1].size == (60, 40)
    assert shown[2][0] == len(names["result"].masks)
    assert "masks of 3 prompts" in capsys.readouterr().out
    assert Path("out/yolo/labels/coffee.txt").is_file()


def test_evaluation(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("supervision")
    names, _ = executed("evaluation.ipynb")
    assert names["found"]["pictures"] == 3
    told = capsys.readouterr().out
    assert "object-aware:64: AR@K" in told
    assert "grid:8: AR@K" in told
