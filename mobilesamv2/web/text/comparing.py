"""Sentences, bars and tables of *Compare samplers*."""

from __future__ import annotations

from html import escape
from typing import Any

from ...comparison.compare import SHARED_STAGES, SamplerSpec
from ...formatting import number, percent, seconds, unbroken
from ..settings import Range
from .page import STAGE_NAMES
from .segmenting import shrunk

IDLE = "One run asks both about one encoding of the photo and compares what they find and what they cost."
LEFT_LABEL, RIGHT_LABEL = "Left", "Right"
CONTENDER_INFO = "Grid: points a side. Object-aware: boxes at most."
VIEW_LABEL = "Show"
VIEWS = (("Both", "both"), ("Left", "left"), ("Right", "right"), ("Found by one", "alone"))
DRAW_LABEL = "Draw the prompts"
SPLIT_LABEL = "Where the left picture ends and the right one begins"
EMPTY = "Both overlays appear here, under one slider"
_HEAD = (
    ("Prompts", "prompts"),
    ("Decoded", "masks_decoded"),
    ("Duplicates", "duplicates_removed"),
    ("Kept", "masks"),
    ("Only here", "found_alone"),
)


def contender_choices(prompts: Range, grid_sides: Range) -> list[tuple[str, str]]:
    """The samplers and budgets to choose from, and how `SamplerSpec.parse` reads them."""
    sides = range(grid_sides.low, grid_sides.high + 1, grid_sides.step)
    grids = [SamplerSpec("grid", points_per_side=side) for side in sides]
    budgets = {prompts.start}
    budget = prompts.low
    while budget <= prompts.high:
        budgets.add(budget)
        budget *= 2
    boxes = [SamplerSpec("object-aware", max_prompts=budget) for budget in sorted(budgets)]
    return [(name_of(contender), str(contender)) for contender in (*boxes, *grids)]


def name_of(contender: SamplerSpec) -> str:
    """A contender on the page: "Grid 16 × 16", "Object-aware 64"."""
    if contender.sampler == "grid":
        return f"Grid {contender.limit} × {contender.limit}"
    return f"Object-aware {number(contender.limit)}"


def names_of(summary: dict[str, Any]) -> tuple[str, str]:
    """What the left and the right contender of a summary are called on the page."""
    left, right = (name_of(SamplerSpec.parse(summary[side]["contender"])) for side in ("left", "right"))
    return left, right


def found_by(summary: dict[str, Any]) -> dict[str, str]:
    """What the view of masks that only one found says: how many by each, and by both."""
    left, right = names_of(summary)
    return {
        "left": f"Only {left}: {number(summary['left']['found_alone'])}",
        "right": f"Only {right}: {number(summary['right']['found_alone'])}",
        "matched": f"Both: {number(summary['matched'])}",
    }


def outcome(summary: dict[str, Any]) -> str:
    """Both runs: the verdict in a sentence, the seconds as bars, and a row of numbers for each."""
    return (
        f'<div class="outcome"><p class="verdict" role="status">{escape(unbroken(summary["verdict"]))}</p>'
        f"{bars(summary)}{table(summary)}</div>"
    )


def bars(summary: dict[str, Any]) -> str:
    """Seconds of each stage as two bars on one scale; `stages_table` has the same in figures."""
    runs = (summary["left"], summary["right"])
    longest = max(run["total_seconds"] for run in runs) or 1.0
    rows, spoken = "", []
    for name, side, run in zip(names_of(summary), ("left", "right"), runs, strict=True):
        spoken.append(f"{name}: {seconds(run['total_seconds'])}")
        total = run["total_seconds"] or 1.0
        parts = "".join(
            f'<i class="stage-{escape(stage)}" style="flex-grow:{value / total:.5f}" '
            f'title="{escape(STAGE_NAMES.get(stage, stage))}: {seconds(value)}"></i>'
            for stage, value in run["seconds"].items()
            if value > 0
        )
        rows += (
            f'<li><span class="{side}">{escape(name)}</span><span class="track">'
            f'<span class="bar" style="width:{100 * run["total_seconds"] / longest:.2f}%">{parts}</span></span>'
            f"<b>{seconds(run['total_seconds'])}</b></li>"
        )
    told = "; ".join(spoken)
    legend = "".join(
        f'<li><i class="stage-{escape(stage)}"></i>{escape(STAGE_NAMES.get(stage, stage))}</li>'
        for stage in runs[0]["seconds"]
    )
    return (
        f'<div role="img" aria-label="{escape(told)}. The last table has every stage.">'
        f'<ul class="bars">{rows}</ul></div>'
        f'<ul class="legend" aria-hidden="true"><li>Seconds by stage:</li>{legend}</ul>'
    )


def table(summary: dict[str, Any]) -> str:
    """What each asked, kept and took, a row for each."""
    names = [*(name for name, _ in _HEAD), "Covered", "Decoder", "Sampling", "Speed"]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    rows = ""
    for name, side in zip(names_of(summary), ("left", "right"), strict=True):
        run = summary[side]
        cells = [number(run[key]) for _, key in _HEAD]
        cells += [
            percent(run["coverage_percent"] / 100),
            seconds(run["seconds"].get("decode", 0.0)),
            f"<b>{seconds(run['sampling_seconds'])}</b>",
            _speed(side, summary["speedup"]),
        ]
        rows += f'<tr><th scope="row" class="{side}">{escape(name)}</th>'
        rows += "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
    return (
        '<table class="statistics by-sampler"><thead><tr><th scope="col"><span class="sr-only">Sampler</span></th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def details(summary: dict[str, Any]) -> str:
    """The seconds of each stage in figures, and what the numbers mean."""
    stages = list(summary["left"]["seconds"])
    head = "".join(f'<th scope="col">{STAGE_NAMES.get(stage, stage).capitalize()}</th>' for stage in stages)
    rows = ""
    for name, side in zip(names_of(summary), ("left", "right"), strict=True):
        cells = "".join(f"<td>{_took(summary[side]['seconds'][stage])}</td>" for stage in stages)
        total = seconds(summary[side]["total_seconds"])
        rows += f'<tr><th scope="row" class="{side}">{escape(name)}</th>{cells}<td><b>{total}</b></td></tr>'
    encoding = sum(summary["left"]["seconds"].get(stage, 0.0) for stage in SHARED_STAGES)
    notes = (
        f"Both share one encoding of {seconds(encoding)} on {summary['left']['device']}; sampling is all that comes "
        f"after it. Masks of both that overlap with an IoU of at least {summary['match_iou']} are of one object and "
        f"have one colour; only here counts the others. {shrunk(summary)}"
    )
    return (
        f'<div class="outcome"><p class="title" id="stages-title">Seconds of each stage</p>'
        f'<table class="stages-table by-sampler" aria-labelledby="stages-title"><thead><tr>'
        f'<th scope="col"><span class="sr-only">Sampler</span></th>{head}<th scope="col">All</th></tr></thead>'
        f'<tbody>{rows}</tbody></table><p class="note">{escape(notes.strip())}</p></div>'
    )


def _took(value: float) -> str:
    return seconds(value) if value else "–"


def _speed(side: str, speedup: float | None) -> str:
    if side == "left":
        return "1 ×"
    if speedup is None:
        return "–"
    digits = ".2g" if speedup < 0.95 else ".1f" if speedup < 9.95 else ".0f"  # as `times` has them
    return f"<b>{speedup:{digits}} ×</b>"
