"""Sentences and tables of *Compare samplers*."""

from __future__ import annotations

from html import escape
from typing import Any

from ...words import count, number, seconds, times
from .page import SAMPLER_NAMES, STAGE_NAMES
from .segmenting import shrunk

SHARED_STAGES = ("preprocess", "encode")
IDLE = "One run asks both samplers about one encoding of the photo and compares what they cost."
API = (
    "Run grid search and object-aware sampling on one encoding of a photo. Returns both overlays as PNGs, with the "
    "prompts drawn if asked, and a summary of both runs with the speed-up and a verdict in one sentence."
)
BOXES_LABEL = "Boxes, object-aware"
GRID_LABEL = "Points per side, grid search"
LEGEND = '<p><span class="grid">Grid search</span><span class="aware">Object-aware</span></p>'

BOXES_INFO_JS = """(prompts) => ({
    __type__: "update", info: `Asks about at most ${prompts} boxes around objects, surest first.`
})"""
SHOW_PROMPTS_JS = """(drawn) => [
    {__type__: "update", visible: !drawn}, {__type__: "update", visible: drawn}
]"""
SIDE_INFO_JS = """(side) => ({
    __type__: "update", info: `Asks about a grid of ${side} × ${side} = ${side * side} points.`
})"""


def verdict(grid: dict[str, Any], aware: dict[str, Any], speedup: float | None) -> str:
    """One sentence on both runs, from what was measured and nothing else.

    Args:
        grid, aware: summaries of a run with `sampling_seconds`.
        speedup: how many times faster object-aware sampling was; None where it cannot be told.
    """
    asked = (
        f"{count(aware['prompts'], 'box', 'boxes')} in {seconds(aware['sampling_seconds'])} against "
        f"{count(grid['prompts'], 'point')} in {seconds(grid['sampling_seconds'])} "
        f"({count(aware['masks'], 'mask')} kept against {number(grid['masks'])})"
    )
    if aware["masks"] == 0 and grid["masks"] == 0:
        return "Neither sampler kept a mask on this photo."
    if aware["masks"] == 0:
        return (
            f"Object-aware sampling found no objects on this photo; grid search kept "
            f"{count(grid['masks'], 'mask')} in {seconds(grid['sampling_seconds'])}."
        )
    if grid["masks"] == 0:
        return (
            f"Grid search kept no mask on this photo; object-aware sampling kept "
            f"{count(aware['masks'], 'mask')} in {seconds(aware['sampling_seconds'])}."
        )
    if speedup is None:
        return f"Object-aware sampling asked {asked}."
    if speedup >= 1.05:
        return f"Object-aware sampling was {times(speedup)} faster here: {asked}."
    if speedup > 0.95:
        return f"Both took about the same time here: {asked}."
    return f"Object-aware sampling was {times(1 / max(speedup, 1e-9))} slower here: {asked}."


def table(summary: dict[str, Any]) -> str:
    """Both runs: the verdict in a sentence, then a row for each with what it asked, kept and took."""
    runs = (("grid", summary["grid"]), ("aware", summary["object_aware"]))
    stages = [stage for stage in runs[1][1]["seconds"] if stage not in SHARED_STAGES]
    names = ["Prompts", "Decoded", "Kept", *(STAGE_NAMES.get(stage, stage).capitalize() for stage in stages)]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in [*names, "Sampling", "Speed"])
    rows = ""
    for kind, run in runs:
        cells = [number(run[key]) for key in ("prompts", "masks_decoded", "masks")]
        cells += [seconds(value) if (value := run["seconds"].get(stage, 0.0)) else "–" for stage in stages]
        cells += [f"<b>{seconds(run['sampling_seconds'])}</b>", _speed(kind, summary["speedup"])]
        rows += f'<tr><th scope="row" class="{kind}">{SAMPLER_NAMES[run["sampler"]]}</th>'
        rows += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    aware = runs[1][1]
    encoding = sum(aware["seconds"].get(stage, 0.0) for stage in SHARED_STAGES)
    note = f"Both share one encoding of {seconds(encoding)} on {aware['device']}. {shrunk(summary)}"
    return (
        f'<div class="outcome"><p class="verdict">{escape(summary["verdict"])}</p>'
        f'<table><thead><tr><th scope="col"><span class="sr-only">Sampler</span></th>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table><p class="note">{escape(note)}</p></div>'
    )


def _speed(kind: str, speedup: float | None) -> str:
    if kind == "grid":
        return "1 ×"
    return "–" if speedup is None else f"<b>{speedup:.1f} ×</b>"
