"""Sentences and tables of *Compare samplers*."""

from __future__ import annotations

from html import escape
from typing import Any

from ...comparison.compare import SHARED_STAGES
from ...formatting import number, percent, seconds, unbroken
from ...request import Request
from ...sampler_kinds import SAMPLERS
from ..settings import Range
from .segmenting import stage_bar
from .tables import table

IDLE = "One run asks both about one encoding of the photo and compares what they find and what they cost."
LEFT_LABEL, RIGHT_LABEL = "Left", "Right"
SPEC_INFO = "Grids: points a side. The others: prompts at most."
VIEW_LABEL = "Show"
VIEWS = (("Both", "both"), ("Left", "left"), ("Right", "right"), ("Found by one", "alone"))
DRAW_LABEL = "Draw the prompts"
SPLIT_LABEL = "Where the left picture ends and the right one begins"
EMPTY = "Both overlays appear here, under one slider"
SIDES = ("left", "right")
_COUNTS = {
    "Prompts": "prompts",
    "Decoded": "masks_decoded",
    "Duplicates": "duplicates_removed",
    "Kept": "masks",
    "Only here": "found_alone",
}


def choices(prompts: Range, grid_sides: Range) -> list[tuple[str, str]]:
    """The samplers and budgets to choose from, and how `Request.parse` reads them."""
    budgets, budget = {prompts.start}, prompts.low
    while budget <= prompts.high:
        budgets.add(budget)
        budget *= 2
    sides = range(grid_sides.low, grid_sides.high + 1, grid_sides.step)
    requests = [
        Request.parse(f"{name}:{limit}")
        for name, kind in SAMPLERS.items()
        for limit in (sides if kind.is_square else sorted(budgets))
    ]
    return [(name_of(request.to_record()), str(request)) for request in requests]


def name_of(request: dict[str, Any]) -> str:
    """What was asked, by its record, on the page: "Grid 16 × 16", "Object-aware 64"."""
    kind, side = SAMPLERS[request["sampler"]], request["points_per_side"]
    limit = f"{side} × {side}" if side else number(request["max_prompts"])
    is_single = kind.has_points and not request["multimask"]
    return f"{kind.title.removesuffix(' search')} {limit}{', one mask' if is_single else ''}"


def names_of(summary: dict[str, Any]) -> tuple[str, str]:
    """What the left and the right run of a summary are called on the page."""
    left, right = (name_of(summary[side]["request"]) for side in SIDES)
    return left, right


def found_by(summary: dict[str, Any]) -> dict[str, str]:
    """What the view of masks that only one found says: how many by each, and by both."""
    alone = {
        side: f"Only {name}: {number(summary[side]['found_alone'])}"
        for side, name in zip(SIDES, names_of(summary), strict=True)
    }
    return alone | {"matched": f"Both: {number(summary['matched'])}"}


def outcome(summary: dict[str, Any]) -> str:
    """Both runs: the verdict in a sentence, and a row of numbers for each."""
    verdict = escape(unbroken(summary["verdict"]))
    return f'<div class="outcome"><p class="verdict" role="status">{verdict}</p>{numbers(summary)}</div>'


def numbers(summary: dict[str, Any]) -> str:
    """What each asked, kept and took, a row for each."""
    rows = []
    for name, side in zip(names_of(summary), SIDES, strict=True):
        run = summary[side]
        cells = [number(run[key]) for key in _COUNTS.values()]
        cells += [percent(run["coverage"]), seconds(run["seconds"].get("decode", 0.0))]
        cells += [f"<b>{seconds(run['sampling_seconds'])}</b>", _speed(side, summary["speedup"])]
        rows.append((name, cells))
    head = ("Sampler*", *_COUNTS, "Covered", "Decoder", "Sampling", "Speed")
    return table(head, rows, kind="statistics by-sampler", kinds=SIDES)


def details(summary: dict[str, Any], *, shown_wh: tuple[int, int]) -> str:
    """The seconds of each stage, as two bars on one scale and in figures, and what the numbers mean.

    Args:
        shown_wh: width and height of the pictures on the page.
    """
    longest = max(summary[side]["total_seconds"] for side in SIDES) or 1.0
    runs = ""
    for name, side in zip(names_of(summary), SIDES, strict=True):
        total = summary[side]["total_seconds"]
        runs += (
            f'<div class="run" style="--share:{100 * total / longest:.2f}%">'
            f'<p><b class="{side}">{escape(name)}</b> {seconds(total)}</p>{stage_bar(summary[side]["seconds"])}</div>'
        )
    encoding = sum(summary["left"]["seconds"].get(stage, 0.0) for stage in SHARED_STAGES)
    notes = (
        f"Both share one encoding of {seconds(encoding)} on {summary['left']['device']}; sampling is all that comes "
        f"after it. Masks of both that overlap with an IoU of at least {summary['match_iou']} are of one object and "
        f"have one colour; only here counts the others."
    )
    image = summary["left"]["image"]
    if (image["width"], image["height"]) != shown_wh:
        notes += f" Segmented at {image['width']} × {image['height']}, shown at {shown_wh[0]} × {shown_wh[1]} pixels."
    return f'<div class="outcome">{runs}<p class="note">{escape(notes)}</p></div>'


def _speed(side: str, speedup: float | None) -> str:
    if side == "left":
        return "1 ×"
    if speedup is None:
        return "–"
    digits = ".2g" if speedup < 0.95 else ".1f" if speedup < 9.95 else ".0f"  # as `formatting.times` has them
    return f"<b>{speedup:{digits}} ×</b>"
