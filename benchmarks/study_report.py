"""Puts committed results into docs/evaluation.md and README.md, and draws the plots: python -m benchmarks.study_report

What lies between `<!-- STEP TABLE -->` and `<!-- end -->` there is that table of `results/evaluation/STEP.json`, with
the command that made it. Where it says `<!-- STEP TABLE whole -->`, a result of fewer pictures than the step takes
replaces nothing. `<!-- prompts table -->` is the two-by-two study of `training.prompt_study`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilesamv2.evaluate.preset_run import LEFT_OUT

from .harness import table
from .study_steps import DATA, EVALUATION, STEPS, Step

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "evaluation.md"
PAGES = (REPORT, ROOT / "README.md")
SECTION = re.compile(r"(<!-- ([\w-]+) (\w+)( whole)? -->\n)(.*?)(<!-- end -->)", re.DOTALL)
PROMPTS = "prompts"
"""The result of `training.prompt_study`, which is no step here, since it trains for an hour."""

Rows = Sequence[Mapping[str, Any]]


def result(name: str) -> dict[str, Any]:
    """The committed result of the step of that name; nothing if there is none."""
    file = EVALUATION / f"{name}.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def with_results(text: str) -> str:
    """A page with the tables that it names."""
    return SECTION.sub(_filled, text)


def _filled(found: re.Match[str]) -> str:
    before, name, part, whole, shown, after = found.groups()
    if name == PROMPTS:
        from training.prompt_study import table as prompt_table

        study = result(name)
        return f"{before}`{study['command']}`\n\n{prompt_table(study['rows'])}\n{after}"
    step, measured = next(step for step in STEPS if step.name == name), result(name)
    if not measured:
        return f"{before}Not measured here: `{step.shown(step.pictures, step.leave_out)}`\n{after}"
    if "presets" in measured:
        preset = measured["presets"][part]
        return f"{before}{_command(step, preset)}\n\n{_preset(preset)}\n{after}"
    if whole and measured["pictures"] < step.pictures:
        return f"{before}{shown}{after}"
    rows = measured["tables"][part]
    return f"{before}{_command(step, measured)}\n\n{_shown(rows) if rows else 'None.'}\n{after}"


def _command(step: Step, found: Mapping[str, Any]) -> str:
    """How much was measured, and the command: that of the whole step, with the settings that were left out."""
    presets = result(step.name).get("presets", {}).values()
    rows = [row for preset in presets for row in preset["rows"] if row["not_run"] == LEFT_OUT]
    left_out = list(dict.fromkeys(row["setting"] for row in rows))
    counted = f"Pictures: {found['pictures']} of the {DATA[step.data]}, {found['objects']} objects."
    return f"{counted} `{step.shown(found['pictures'], left_out)}`"


def _preset(preset: Mapping[str, Any]) -> str:
    """A table of the paper, and what differs."""
    stated = {metric for row in preset["rows"] for metric in row["paper"]}
    rows = []
    for row in preset["rows"]:
        line: dict[str, Any] = {"setting": row["setting"], "prompts": row["prompts"]}
        for metric in preset["metrics"]:
            line[metric] = (row["ours"] or {}).get(metric)
            if metric in stated:
                line[f"paper's {metric}"] = row["paper"].get(metric)
        rows.append(line)
    protocol = preset["protocol"]
    notes = [
        f"{what}: in the paper {protocol['paper'][what]}; here {protocol['here'][what]}." for what in protocol["here"]
    ]
    notes += protocol["remarks"]
    notes += [f"{row['setting']}: {row['not_run']}." for row in preset["rows"] if row["not_run"]]
    return "\n".join([_shown(rows), "", *(f"- {note}" for note in notes)])


def _shown(rows: Rows) -> str:
    """A table in Markdown, without the groups that have no objects."""
    shown = [row for row in rows if row.get("number") != 0]
    return table([{key: _cell(key, value) for key, value in row.items()} for row in shown])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if key == "seconds" else f"{value:.1f}"


def draw_plots(folder: Path) -> None:
    """Draw the plots of the report into a folder."""
    from .study_plots import plot_detectors, plot_fates, plot_prompts, plot_samplers

    tables = {step.name: result(step.name).get("tables", {}) for step in STEPS}

    def of_each(experiment: str, part: str) -> dict[str, Rows]:
        found = {name: tables[f"{experiment}-{data}"].get(part, ()) for data, name in DATA.items()}
        return {name: rows for name, rows in found.items() if rows}

    plot_samplers(of_each("samplers", "samplers"), folder / "samplers.svg")
    plot_prompts(of_each("objects", "prompts"), folder / "prompts.svg")
    plot_detectors(tables["detectors-val"]["detectors"], folder / "detectors.svg")
    plot_fates(tables["objects-val"]["fates"], folder / "fates.svg")


def write_report() -> None:
    """Write both pages and the plots anew."""
    for page in PAGES:
        page.write_text(with_results(page.read_text(encoding="utf-8")), encoding="utf-8")
    draw_plots(REPORT.with_suffix(""))


if __name__ == "__main__":
    write_report()
