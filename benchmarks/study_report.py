"""Puts committed results into docs/evaluation.md and README.md, and draws the plots: python -m benchmarks.study_report

What lies between `<!-- STEP TABLE -->` and `<!-- end -->` there is that table of `results/evaluation/STEP.json`, with
the command that made it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .harness import table
from .study_steps import DATA, EVALUATION, STEPS, Step

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "docs" / "evaluation.md"
PAGES = (REPORT, ROOT / "README.md")
SECTION = re.compile(r"(<!-- ([\w-]+) (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = Sequence[Mapping[str, Any]]


def result(name: str) -> dict[str, Any]:
    """The committed result of the step of that name."""
    found: dict[str, Any] = json.loads((EVALUATION / f"{name}.json").read_text(encoding="utf-8"))
    return found


def with_results(text: str) -> str:
    """A page with the tables that it names."""
    return SECTION.sub(lambda found: f"{found[1]}{_section(found[2], found[3])}\n{found[4]}", text)


def _section(name: str, part: str) -> str:
    step = next(step for step in STEPS if step.name == name)
    found = result(name)
    if "presets" in found:
        preset = found["presets"][part]
        return f"{_command(step, preset)}\n\n{_preset(preset)}"
    rows = found["tables"][part]
    return f"{_command(step, found)}\n\n{_shown(rows) if rows else 'None.'}"


def _command(step: Step, found: Mapping[str, Any]) -> str:
    counted = f"{found['pictures']} {DATA[step.data]}, {found['objects']} objects"
    return f"{counted}: `{step.shown(found['pictures'])}`"


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
        f"{what}: in the paper {protocol['paper'][what]}; here {protocol['here'][what]}."
        for what in protocol["here"]
    ]
    notes += protocol["remarks"]
    notes += [f"{row['setting']}: {row['not_run']}." for row in preset["rows"] if row["not_run"]]
    return "\n".join([_shown(rows), "", *(f"- {note}" for note in notes)])


def _shown(rows: Rows) -> str:
    return table([{key: _cell(value) for key, value in row.items()} for row in rows])


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def draw_plots(folder: Path) -> None:
    """Draw the plots of the report into a folder."""
    from .study_plots import plot_detectors, plot_fates, plot_prompts, plot_samplers

    tables = {step.name: result(step.name).get("tables", {}) for step in STEPS}
    samplers = {name: tables[f"samplers-{data}"]["samplers"] for data, name in DATA.items()}
    prompts = {name: tables[f"objects-{data}"]["prompts"] for data, name in DATA.items()}
    plot_samplers(samplers, folder / "samplers.svg")
    plot_prompts(prompts, folder / "prompts.svg")
    plot_detectors(tables["detectors-val"]["detectors"], folder / "detectors.svg")
    plot_fates(tables["objects-val"]["fates"], folder / "fates.svg")


def write_report() -> None:
    """Write both pages and the plots anew."""
    for page in PAGES:
        page.write_text(with_results(page.read_text(encoding="utf-8")), encoding="utf-8")
    draw_plots(REPORT.with_suffix(""))


if __name__ == "__main__":
    write_report()
