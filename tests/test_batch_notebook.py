"""examples/notebooks/batch.ipynb, cell by cell, on a tiny model and with a stand-in for Ray."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import mobilesamv2
from tests.batch.fakes import ray_in_process
from tests.tiny import tiny_segmenter

pytest.importorskip("pyarrow")

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebooks" / "batch.ipynb"


@pytest.mark.skipif(find_spec("ray") is None, reason='Ray: pip install -e ".[batch]"')
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())
    monkeypatch.chdir(NOTEBOOK.parent)
    ray_in_process(monkeypatch)
    values: dict[str, Any] = {}
    for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), values)  # it is our own text
    photographs = len(list((NOTEBOOK.parents[1] / "images").iterdir()))
    assert len(values["table"]) == photographs
    assert len(values["masks"]) == json.loads(values["row"]["record"])["masks"]
    assert sum(json.loads(record)["masks"] for record in values["table"]["record"]) > 0
    assert f"0 pictures; {photographs} pictures done before" in capsys.readouterr().out
