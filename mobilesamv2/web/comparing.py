"""What *Compare samplers* asks, how both runs are drawn, and what is said of them. No components."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from ..comparison.compare import SHARED_STAGES, Comparison, compare_steps
from ..comparison.matching import MATCH_IOU
from ..comparison.report import verdict
from ..errors import PromptError
from ..formatting import number, percent, seconds, unbroken
from ..images import ReadImage
from ..render import draw_prompts, label_colours, mask_layer, overlay, prompt_layer
from ..request import Request
from ..sampler_kinds import SAMPLERS
from ..segmenter import Embedding, Segmenter
from ..types import Masks, Picture
from .settings import Range
from .text.tables import stage_bar, table

IDLE = "One run asks both about one encoding of the photo and compares what they find and what they cost."
LEFT_LABEL, RIGHT_LABEL = "Left", "Right"
VIEWS = (("Both", "both"), ("Left", "left"), ("Right", "right"), ("Found by one", "alone"))
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

Colours = npt.NDArray[np.uint8]
ALONE_COLOURS = ((245, 158, 40), (30, 190, 180))
"""Of masks that only the left, or only the right run found."""


@dataclass(frozen=True)
class CompareRequest:
    """Two runs to compare."""

    left: Request
    right: Request

    @property
    def prompts_at_most(self) -> int:
        """How many prompts both ask."""
        return self.left.prompts_at_most + self.right.prompts_at_most

    def steps(self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding) -> Generator[Any, None, Comparison]:
        """Progress of both, and the comparison."""
        return compare_steps(segmenter, picture, self.left, self.right, embedding=embedding)


def request_of(text: str, *, max_prompts: int | None = None, points_per_side: int | None = None, most: int) -> Request:
    """Read a request that may ask at most `most` prompts; other arguments as for `Request.parse`.

    Raises:
        UnknownModelError, PromptError: if it is none, or asks more.
    """
    request = Request.parse(text, max_prompts=max_prompts, points_per_side=points_per_side)
    if (asks := request.prompts_at_most) > most:
        raise PromptError(f"{request} asks up to {number(asks)} prompts; here {number(most)} are the most.")
    return request


def overlays(picture: Picture, found: Comparison, *, with_prompts: bool) -> list[Picture]:
    """The photo with the masks of each run, and what it asked if wanted. Partners have one colour.

    Args:
        picture: the photo, or a smaller copy of it.
    """
    drawn = []
    for result, colours in zip((found.first, found.second), _colours(found), strict=True):
        drawn.append(overlay(picture, result.masks, colours=colours))
        if with_prompts:
            drawn[-1] = draw_prompts(drawn[-1], result.prompts, size_hw=result.masks.size_hw)
    return drawn


def layers(found: Comparison, size_hw: tuple[int, int]) -> dict[str, npt.NDArray[np.uint8]]:
    """What lies over the photo, each uint8 (h, w, 4): the masks of `left` and `right`, what each asked (`left_prompts`,
    `right_prompts`), and the masks that only one of them found, by whom (`alone`)."""
    drawn, matching = {}, found.matching
    sides = zip(("left", "right"), (found.first, found.second), _colours(found), strict=True)
    for side, result, colours in sides:
        drawn[side] = mask_layer(result.masks, size_hw, colours=colours)
        drawn[f"{side}_prompts"] = prompt_layer(result.prompts, size_hw, size_hw=result.masks.size_hw)
    alone = found.first.masks.select(matching.first_only), found.second.masks.select(matching.second_only)
    colours = np.repeat(np.array(ALONE_COLOURS, dtype=np.uint8), [len(masks) for masks in alone], axis=0)
    return drawn | {"alone": mask_layer(Masks.concatenate(alone), size_hw, colours=colours)}


def _colours(found: Comparison) -> tuple[Colours, Colours]:
    """Of the masks of each run."""
    palette = label_colours(sum(found.matching.counts))
    first, second = (palette[ranks] for ranks in found.matching.colour_ranks())
    return first, second


def summary_of(found: Comparison) -> dict[str, Any]:
    """The records of both runs, as `left` and `right` and also by their samplers' names, and how they compare.

    `speedup` is how many times faster the right one was, None where it cannot be told.
    """
    left, right = found.records()
    by_name = {record["sampler"].replace("-", "_"): record for record in (right, left)}
    return by_name | {
        "left": left,
        "right": right,
        "matched": len(found.matching),
        "match_iou": MATCH_IOU,
        "speedup": float(f"{found.speedup:.4g}") if math.isfinite(found.speedup) else None,
        "verdict": verdict(*found.statistics),
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
