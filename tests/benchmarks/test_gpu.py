"""The benchmark of a GPU where there is none, and its parts on a small model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from tests.tiny import tiny_segmenter


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here: python -m benchmarks.gpu measures it")
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--into", str(tmp_path / "gpu.json")]) == 0
    assert capsys.readouterr().out.startswith("There is no CUDA device here")
    assert not list(tmp_path.iterdir())


def test_runs_and_clicks_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    segmenter.name = "nano"
    rows = gpu.whole(segmenter, rounds=1)
    assert [row["what"] for row in rows][1:] == ["first click on 12 megapixels", "next click on it"]
    first, second = (row["ours, ms"] for row in rows[1:])
    assert isinstance(first, float)
    assert isinstance(second, float)
    assert first > second > 0  # the picture was read and encoded before
