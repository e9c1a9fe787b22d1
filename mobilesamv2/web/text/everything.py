"""Sentences and numbers of the *Segment everything* tab."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...formatting import count, number, percent, seconds
from ...sampler_kinds import SAMPLERS
from .page import CANCELLED
from .tables import stage_bar, tiles

IDLE = "Press Segment: masks, coverage and seconds appear here."
EXAMPLE = "This is an example. Drop a photo of your own, or choose another example."
GONE = "This result is no longer kept. Press Segment to make it again."
RUN = "Segment"
RUN_REST = "Decode the rest"

SAMPLER_INFO = (
    "Object-aware asks about boxes that a detector finds, box centres about the middle of each; grid search about "
    "points everywhere, hierarchical only where a coarse grid found nothing; coverage about boxes, then points beside "
    "them."
)
OWN_FILTERS_LABEL = "The sampler's own filters"
OWN_FILTERS_INFO = "Of points unsure masks and repeats are dropped; of boxes every mask is kept."
MIN_AREA_INFO = "Hides masks smaller than this share of the photo."
MIN_IOU_INFO = "Hides masks that the decoder itself is less sure of."
MIN_STABILITY_INFO = "Hides masks whose outline moves when the threshold does."
CLEAN_INFO = "Takes away islands of a mask and fills holes in it that are smaller than this."
MASK_NMS_INFO = "Of masks that overlap more than this, keeps the best; 1 keeps all."
NESTED_INFO = "Hides masks that lie within a larger one."
APART_INFO = "Cuts overlaps: each pixel goes to the smallest mask over it."
MOST_PARTS = 12
"""Parts of a mask that its card names; the largest."""
VIEWER_EMPTY = "The masks appear here"
HOW = (
    "<p>The image encoder looks at the photo once. Everything else asks the small mask decoder about that one "
    "encoding: object-aware sampling and grid search here, both comparisons, and each click under Point and box. "
    "That segment-anything and segment-everything share one encoding is what MobileSAMv2 is about.</p>"
    "<p>Grid search asks about 1,024 points, three masks each, and throws most answers away. Object-aware sampling "
    "asks a detector for at most 320 boxes first, and the decoder once about each.</p>"
    "<p>Filters and the slider work on what is decoded already: fewer prompts are answered at once.</p>"
)
_PROMPTS_INFO = {
    "object-aware": "Asks about at most {prompts} boxes around objects, surest first.",
    "grid": "Asks about a grid of {side} × {side} = {square} points.",
    "box-centres": "Asks about the centres of at most {prompts} boxes around objects, surest first.",
    "hierarchical": "Asks a sixteenth of {side} × {side} = {square} points first, then those in no mask.",
    "coverage": "Asks about boxes around objects, then points in no mask, at most {prompts} in all.",
}
PROMPTS_INFO_JS = (
    "(sampler, prompts) => {"
    "const side = Math.floor(Math.sqrt(prompts)), numbers = {prompts, side, square: side * side};"
    f"const info = ({json.dumps(_PROMPTS_INFO)})[sampler].replace(/{{(\\w+)}}/g, (_, name) => numbers[name]);"
    'return {__type__: "update", info};}'
)


def prompts_info(sampler: str, prompts: int) -> str:
    """What the prompt slider means for that sampler; `PROMPTS_INFO_JS` says the same in the browser."""
    side = math.isqrt(prompts)
    return _PROMPTS_INFO[sampler].format(prompts=prompts, side=side, square=side * side)


def run_hint(sampler: str, *, prompts: int, masks: int) -> str | None:
    """What to try where a run kept no mask; None where it kept some."""
    if masks:
        return None
    if SAMPLERS[sampler].has_detector and prompts == 0:
        return "No objects above the confidence threshold. Try grid search, which needs no objects."
    return "No mask passed the filters. Try more prompts, or another sampler."


def hint(sampler: str, *, prompts: int, decoded: int, masks: int) -> str | None:
    """What to try where there is no mask to see; None where there is one."""
    if masks:
        return None
    if SAMPLERS[sampler].has_detector and prompts == 0:
        return "No objects above the confidence threshold. Lower it under Advanced, or try grid search."
    if decoded == 0:
        return "No prompt gave a mask. Try more prompts, or another sampler."
    return f"None of the {count(decoded, 'mask')} passes the filters. Loosen them below."


def run_label(summary: dict[str, Any]) -> str:
    """What the run button says after a run: what is not decoded yet of what is asked."""
    if summary["can_answer"]:
        return RUN
    kind = SAMPLERS[summary["sampler"]]
    if not kind.is_square:
        return RUN_REST
    return "Decode this grid" if kind.is_adaptive else "Decode the larger grid"


def numbers(summary: dict[str, Any], *, is_example: bool = False, is_cancelled: bool = False) -> str:
    """The large numbers, the stages as one bar, and a sentence where one is needed."""
    whole = summary["prompts"] >= summary["prompts_decoded"]
    took = f"on {summary['device']}" if whole else f"for all {number(summary['prompts_decoded'])}"
    hidden = summary["masks_decoded"] - summary["masks"]
    of = f" of {number(summary['masks_decoded'])} decoded" if hidden else ""
    facts = (
        (number(summary["masks"]), ("mask" if summary["masks"] == 1 and not of else "masks") + of),
        (number(summary["prompts"]), "prompt asked" if summary["prompts"] == 1 else "prompts asked"),
        (percent(summary["coverage"]), "of the photo covered"),
        (seconds(summary["total_seconds"]), took),
    )
    note = EXAMPLE if is_example else summary["hint"] or _note(summary)
    note = f"{CANCELLED} {note}" if is_cancelled else note
    told = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<div class="outcome">{tiles(facts)}{stage_bar(summary["seconds"])}{told}</div>'


def _note(summary: dict[str, Any]) -> str:
    asked, decoded = summary["prompts"], summary["prompts_decoded"]
    kind = SAMPLERS[summary["sampler"]]
    if not summary["can_answer"] and kind.is_square:
        press = f"Press {run_label(summary)} to ask all of its own."
        return f"These are the {count(decoded, 'point')} of the decoded grid. {press}"
    if not summary["can_answer"]:
        return f"These are the {count(decoded, 'prompt')} that are decoded. Press {RUN_REST} for the others."
    if asked < decoded:
        return f"Answered at once: {number(asked)} of the {count(decoded, 'prompt')} that are decoded."
    if summary["is_exhausted"] and kind.is_adaptive:
        return f"After {count(decoded, 'prompt')} enough of the photo is covered, or there is no more to ask."
    if summary["is_exhausted"]:
        return f"The detector found {count(decoded, 'box', 'boxes')} at this confidence; all are decoded."
    return ""


def card(mask: dict[str, Any]) -> str:
    """One mask in numbers, the prompt that made it, the mask it is a part of, and its parts."""
    x0, y0, x1, y1 = mask["box"]
    prompt = mask["prompt"]
    if prompt["box"] is not None:
        corners = ", ".join(f"{edge:.0f}" for edge in prompt["box"])
        asked = f"box {prompt['number']} ({corners})"
    else:
        x, y, _ = prompt["points"][0]
        asked = f"point {prompt['number']} ({x:.0f}, {y:.0f})"
    if prompt["confidence"] is not None:
        asked += f", confidence {prompt['confidence']:.2f}"
    facts = (
        ("Area", f"{count(mask['area'], 'pixel')}, {percent(mask['share'])}"),
        ("Box", f"{x1 - x0} × {y1 - y0} px at {x0}, {y0}"),
        ("Score", _score(mask["score"])),
        ("Predicted IoU", _score(mask["predicted_iou"])),
        ("Stability", _score(mask["stability"])),
        ("Prompt", asked),
    )
    rows = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    above = [] if mask["part_of"] is None else [mask["part_of"]]
    for name, others in (("Part of", above), ("Parts", mask["parts"])):
        if others:
            rows += f"<div><dt>{name}</dt><dd>{_choices(others)}</dd></div>"
    return f"<h3>Mask {mask['number']}</h3><dl>{rows}</dl>"


def _choices(masks: Sequence[Mapping[str, int]]) -> str:
    """A button for each mask, that shows it alone."""
    buttons = "".join(
        f'<button type="button" data-mask="{one["index"]}" aria-label="Show mask {one["number"]} alone">'
        f"{one['number']}</button>"
        for one in masks[:MOST_PARTS]
    )
    more = len(masks) - MOST_PARTS
    return f'<span class="parts">{buttons}</span>' + (f" and {number(more)} more" if more > 0 else "")


def _score(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2f}"


def viewer_name(masks: int) -> str:
    """What the picture with masks is called for those who cannot see it."""
    return f"The photo with {count(masks, 'mask')}. Arrow keys go from mask to mask, Escape leaves."
