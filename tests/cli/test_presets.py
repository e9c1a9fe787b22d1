"""`mobilesamv2 evaluate --preset` in this process on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobilesamv2 import loading, weights
from mobilesamv2.cli import main
from mobilesamv2.evaluate import presets
from tests.tiny import tiny_segmenter


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name loads the tiny model, and only embedded checkpoints are here."""
    monkeypatch.setattr(loading, "load", lambda name, **options: tiny_segmenter())
    monkeypatch.setattr(weights, "missing", lambda files: [file for file in files if file.repo])


def test_tables_are_printed_beside_the_paper_s_and_written(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data / "tables.json"
    options = ["--preset", "table7", "table5", "--split", "val", "-o", str(out)]
    assert main(["evaluate", "--data", str(data), *options]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Table 7")
    assert "at most 384 boxes" in printed
    assert "59.3" in printed
    assert "ViT-H: not on this machine: RogerQi/MobileSAMV2/sam_vit_h.pt" in printed
    assert f"here {data.name}, split val: 1 pictures, 1 objects, labels as annotated." in printed
    written = json.loads(out.read_text())["presets"]
    assert list(written) == ["table7", "table5"]
    for preset in written:
        assert written[preset]["metrics"] == [metric.name for metric in presets.PRESETS[preset].metrics]
    assert {row["not_run"] for row in written["table7"]["rows"]} == {""}
    assert [path.name for path in data.glob("tables.json*")] == ["tables.json"]


def test_settings_can_be_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--preset", "table7", "--leave-out", "384", "320", "256", "192"]
    assert main(["evaluate", "--data", str(data), *options]) == 0
    printed = capsys.readouterr().out
    assert printed.count(": left out.") == 4


def test_a_table_that_there_is_not_is_wrong_usage(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "--data", str(data), "--preset", "table1"])
    assert stopped.value.code == 2
    assert "table2" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--preset", "table7", "--max-prompts", "9"], "--preset brings its own settings"),
        (["--preset", "table7", "--also", "grid"], "--preset brings its own settings"),
        (["--preset", "table7", "--prompted"], "--preset brings its own settings"),
        (["--leave-out", "grid"], "--leave-out goes with --preset"),
    ],
)
def test_options_that_a_preset_cannot_heed_are_refused(
    options: list[str], sentence: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(data), *options]) == 1
    assert sentence in capsys.readouterr().err
