"""The other commands, in this process on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobilesamv2.cli import main
from mobilesamv2.cli.table import table
from mobilesamv2.sampler_kinds import SAMPLERS

from .conftest import saved


def test_compare_prints_an_aligned_table_and_writes_pictures(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = saved(tmp_path / "a.png")
    options = ["--max-prompts", "2", "--points-per-side", "3"]
    assert main(["compare", str(photo), "-o", str(tmp_path / "out"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    head, grid, aware = lines[1:4]
    assert head.split()[:2] == ["sampler", "prompts"]
    assert grid.split()[:2] == ["grid", "9"]
    assert aware.split()[:2] == ["object-aware", "2"]
    assert len(head) == len(grid) == len(aware)
    assert (tmp_path / "out" / "comparison.json").is_file()
    assert len(list((tmp_path / "out").glob("*.png"))) == 4


def test_compare_takes_any_two_samplers_and_budgets(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    options = ["--first", "grid:2", "--second", "grid", "--points-per-side", "3"]
    assert main(["compare", str(saved(tmp_path / "a.png")), "-o", str(out), *options]) == 0
    _, _, first, second, verdict = capsys.readouterr().out.splitlines()
    assert (first.split()[:2], second.split()[:2]) == (["grid:2", "4"], ["grid:3", "9"])
    assert verdict.endswith("Both share one encoding.")
    expected = {f"grid-{side}-{kind}.png" for side in (2, 3) for kind in ("overlay", "prompts")}
    assert {path.name for path in out.glob("*.png")} == expected
    assert json.loads((out / "comparison.json").read_text())["verdict"] in verdict


def test_budget_prints_a_row_for_each_point_and_a_sentence(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["budget", str(saved(tmp_path / "a.png")), "--largest", "16"]) == 0
    head, names, aware, grid, sentence = capsys.readouterr().out.splitlines()
    assert "tiny on CPU" in head
    assert names.split()[:3] == ["sampler", "budget", "prompts"]
    assert (aware.split()[:2], grid.split()[:3]) == (["object-aware", "16"], ["grid", "16", "16"])
    assert sentence.endswith(".")


def test_budget_and_compare_take_every_sampler(tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = str(saved(tmp_path / "a.png"))
    assert main(["budget", photo, "--largest", "4", "--samplers", "all"]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()[2:-1]]
    assert rows == [[name, "4"] for name in SAMPLERS]
    both = ["--first", "box-centres:2:single", "--second", "coverage:5"]
    assert main(["compare", photo, "-o", str(tmp_path / "out"), *both]) == 0
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {
        f"{name}-{kind}.png" for name in ("box-centres", "coverage") for kind in ("overlay", "prompts")
    }
    assert main(["budget", photo, "--samplers", "dots"]) == 1
    assert "There is no sampler 'dots'" in capsys.readouterr().err


def test_compare_refuses_a_sampler_that_there_is_not(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(saved(tmp_path / "a.png"))
    assert main(["compare", photo, "-o", str(tmp_path / "out"), "--first", "dots:9"]) == 1
    assert "There is no sampler 'dots'" in capsys.readouterr().err


def test_compare_refuses_what_is_no_photograph(tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(tmp_path / "none.jpg"), "-o", str(tmp_path / "out")]) == 1
    assert "There is no file" in capsys.readouterr().err


def test_evaluate_writes_average_recall_of_every_way(
    tiny: None, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = data / "results.json"
    options = ["--sampler", "object-aware", "--max-prompts", "2", "--also", "grid:3", "-o", str(out)]
    assert main(["evaluate", "--data", str(data), *options]) == 0
    results = json.loads(out.read_text())
    assert results["mask_ar"].keys() == results["box_ar"].keys() == {"1", "10", "100", "1000"}
    assert [(row["sampler"], row["prompts"]) for row in results["rows"]] == [
        ("object-aware:2", 2),
        ("grid:3", 9),
    ]
    assert [path.name for path in data.glob("results.json*")] == ["results.json"]
    assert "AR@100" in capsys.readouterr().out


def test_evaluate_prints_answers_to_true_prompts_beside_baselines(
    tiny: None, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--data", str(data / "annotations.json"), "--prompted"]) == 0
    out = capsys.readouterr().out
    assert "1 objects in 1 pictures" in out
    assert "the filled box" in out
    assert "1.000" in out
    assert main(["evaluate", "--data", str(data), "--split", "test"]) == 1
    assert "has no picture with a mask in the split 'test'" in capsys.readouterr().err


def test_sharing_the_page_comes_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mobilesamv2.web import layout

    shared: list[bool] = []
    monkeypatch.setattr(layout, "serve", lambda settings, *, host, port, share: shared.append(share))
    assert main(["serve", "--share"]) == main(["serve"]) == 0
    assert shared == [True, False]
    assert capsys.readouterr().err.count("Whoever has the address can use the page") == 1


def test_serve_hands_its_options_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    import mobilesamv2.web.layout as layout

    calls = []
    monkeypatch.setattr(layout, "serve", lambda settings, **options: calls.append((settings, options)))
    assert main(["serve", "--host", "0.0.0.0", "--port", "8123", "--model", "mobilesam"]) == 0
    ((settings, options),) = calls
    assert settings.model == "mobilesam"
    assert options == {"host": "0.0.0.0", "port": 8123, "share": False}


def test_a_table_aligns_text_to_the_left_and_numbers_to_the_right() -> None:
    rows = [{"name": "a", "some_count": 5, "x": 0.25}, {"name": "long", "some_count": 12345678901, "x": 10.0}]
    assert table(rows) == ("name   some count       x\na               5   0.250\nlong  12345678901  10.000")
    assert table([]) == ""
