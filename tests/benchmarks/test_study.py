"""The report is made of committed results, by commands that the programs know."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import pytest

from benchmarks import experiments, study, study_report
from benchmarks.study_report import PAGES, PROMPTS, REPORT, SECTION, draw_plots, result, with_results
from benchmarks.study_steps import EVALUATION, SCENE_COMMANDS, SCENES, STEPS, Step
from mobilesamv2 import cli


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_show_the_committed_results(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert SECTION.search(text)
    assert with_results(text) == text, "run python -m benchmarks.study_report"


def test_every_table_that_was_measured_can_be_read() -> None:
    shown = {found[2] for found in SECTION.finditer(REPORT.read_text(encoding="utf-8"))}
    assert shown == {step.name for step in STEPS} | ({PROMPTS} if result(PROMPTS) else set())
    assert {path.stem for path in EVALUATION.glob("*.json")} <= shown


def test_results_name_no_folder_of_a_machine() -> None:
    for path in EVALUATION.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(Path.home()) not in text
        assert "/tmp" not in text


def test_the_page_tells_how_the_scenes_are_drawn() -> None:
    text = REPORT.read_text(encoding="utf-8")
    assert all(command in text for command in SCENE_COMMANDS)
    assert max(step.pictures for step in STEPS if step.data == "mixed") <= SCENES["mixed"]
    assert max(step.pictures for step in STEPS if step.data == "crowd") <= SCENES["crowd"]


def test_plots_are_drawn_from_the_committed_results(tmp_path: Path) -> None:
    draw_plots(tmp_path)
    drawn, committed = ({path.name for path in folder.iterdir()} for folder in (tmp_path, REPORT.with_suffix("")))
    assert drawn == committed
    text = REPORT.read_text(encoding="utf-8")
    assert all(f"(evaluation/{name})" in text for name in drawn)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_each_step_is_a_command_that_its_program_takes(
    step: Step, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = study.arguments_of(step, data=tmp_path / "DATA", scenes=tmp_path / "SCENES", at_most=1)
    flag, module, *rest = arguments
    assert flag == "-m"
    if module == "mobilesamv2":
        options = cli._parser().parse_args(rest)
        assert set(result(step.name).get("presets", options.preset)) == set(options.preset)
    else:
        options = experiments.parser().parse_args(rest)
        assert (module, options.name) == ("benchmarks.experiments", step.name.rpartition("-")[0])
    assert options.limit == 1
    assert options.output == EVALUATION / f"{step.name}.json"
    typed = shlex.split(step.shown(1))
    assert typed[:3] == ["python", "-m", module]
    assert isinstance(options, argparse.Namespace)


def test_the_study_runs_its_steps_and_writes_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(study, "EVALUATION", tmp_path)
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))
    monkeypatch.setattr(study, "write_report", lambda: calls.append(["report"]))
    (tmp_path / "left.json.nano.pictures.jsonl").write_text("")
    monkeypatch.setattr("sys.argv", ["study", "--data", "DATA", "--only", "objects-crowd", "--at-most", "2"])
    study.main()
    *scenes, step, report = calls
    assert [command[2] for command in scenes] == ["benchmarks.scenes"] * 2
    assert step[2:4] == ["benchmarks.experiments", "objects"]
    assert step[step.index("--limit") + 1] == "2"
    assert report == ["report"]
    assert not list(tmp_path.iterdir())


def test_a_section_is_replaced_by_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        "pictures": 2,
        "objects": 7,
        "tables": {"samplers": [{"sampler": "grid:2", "AR@10": 3.25, "x": None}]},
    }
    monkeypatch.setattr(study_report, "result", lambda name: found)
    text = "before\n<!-- samplers-val samplers -->\nold\n<!-- end -->\nafter"
    filled = with_results(text)
    assert filled.startswith(
        "before\n<!-- samplers-val samplers -->\nPictures: 2 of the kept-out photographs, 7 objects. `python -m"
    )
    assert "| grid:2 | 3.2 | - |" in filled
    assert filled.endswith("\n<!-- end -->\nafter")
    assert with_results(filled) == filled


def test_a_result_of_few_pictures_replaces_nothing_that_wants_the_whole_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = next(step for step in STEPS if step.name == "samplers-val")
    found = {"pictures": step.pictures - 1, "objects": 7, "tables": {"largest": [{"sampler": "grid:2"}]}}
    monkeypatch.setattr(study_report, "result", lambda name: found)
    text = "<!-- samplers-val largest whole -->\nold\n<!-- end -->"
    assert with_results(text) == text
    found["pictures"] = step.pictures
    assert "grid:2" in with_results(text)


def test_a_step_without_a_result_shows_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_report, "result", lambda name: {})
    filled = with_results("<!-- tables-3-5-7 table3 -->\n<!-- end -->")
    assert "Not measured here: `python -m mobilesamv2 evaluate --preset table3" in filled


def test_settings_that_were_left_out_are_in_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "setting": "grid 64 x 64",
        "prompts": None,
        "ours": None,
        "paper": {"AR": 59.2},
        "not_run": "left out",
    }
    protocol = {"paper": {"data": "theirs"}, "here": {"data": "ours"}, "remarks": []}
    preset = {"pictures": 1, "objects": 3, "metrics": ["AR"], "protocol": protocol, "rows": [row]}
    monkeypatch.setattr(study_report, "result", lambda name: {"presets": {"table4": preset}})
    filled = with_results("<!-- tables-2-4 table4 -->\n<!-- end -->")
    assert "--limit 1 --leave-out 'grid 64 x 64'`" in filled
    assert "| grid 64 x 64 | - | - | 59.2 |" in filled
    assert "- data: in the paper theirs; here ours." in filled


def test_what_the_readme_claims_holds_in_the_committed_results() -> None:
    rows = {row["sampler"].partition(":")[0]: row for row in result("samplers-val")["tables"]["largest"]}
    boxes, grid = rows["object-aware"], rows["grid"]
    assert boxes["AR@1000"] > grid["AR@1000"]
    assert boxes["prompts"] <= grid["prompts"] / 5
    assert boxes["seconds"] < grid["seconds"] / 4
