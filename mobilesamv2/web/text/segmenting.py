"""Sentences of *Segment everything*, and what runs of any kind have in common."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from ...formatting import number, seconds
from .page import STAGE_NAMES

IDLE = "Numbers appear here after a run: masks, prompts and the seconds of each stage."

PROMPTS_LABEL = "Prompts"

PROMPTS_INFO_JS = """(sampler, prompts) => {
    const side = Math.floor(Math.sqrt(prompts));
    const info = sampler === "grid"
        ? `Asks about a grid of ${side} × ${side} = ${side * side} points.`
        : `Asks about at most ${prompts} boxes around objects, surest first.`;
    return {__type__: "update", info};
}"""


def prompts_info(sampler: str, prompts: int) -> str:
    """What the prompt slider means for that sampler; `PROMPTS_INFO_JS` says the same in the browser."""
    side = math.isqrt(prompts)
    if sampler == "grid":
        return f"Asks about a grid of {side} × {side} = {side * side} points."
    return f"Asks about at most {prompts} boxes around objects, surest first."


def hint(sampler: str, *, prompts: int, masks: int) -> str | None:
    """What to try where a run kept no mask; None where it kept some."""
    if masks:
        return None
    if sampler == "object-aware" and prompts == 0:
        return "No objects above the confidence threshold. Try grid search, which needs no objects."
    return "No mask passed the filters. Try more prompts, or the other sampler."


def numbers(summary: dict[str, Any]) -> str:
    """The result of one run: the large numbers, the stages as one bar, a hint where there is one."""
    facts = (
        (number(summary["masks"]), "mask" if summary["masks"] == 1 else "masks"),
        (number(summary["prompts"]), "prompt asked" if summary["prompts"] == 1 else "prompts asked"),
        (seconds(summary["total_seconds"]), f"on {summary['device']}"),
    )
    tiles = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in facts)
    note = f'<p class="note">{escape(summary["hint"])}</p>' if summary["hint"] else shrunk_note(summary)
    return f'<div class="outcome"><dl class="facts">{tiles}</dl>{stage_bar(summary["seconds"])}{note}</div>'


def stage_bar(stages: dict[str, float]) -> str:
    """Seconds per stage as one bar of shares and a legend that names each."""
    total = sum(stages.values()) or 1.0
    shares, legend = "", ""
    for stage, value in stages.items():
        shares += f'<i class="stage-{escape(stage)}" style="flex-grow:{value / total:.5f}"></i>'
        legend += (
            f'<li><i class="stage-{escape(stage)}"></i>{escape(STAGE_NAMES.get(stage, stage))} '
            f"<b>{seconds(value)}</b></li>"
        )
    return f'<div class="stages"><div class="bar" aria-hidden="true">{shares}</div><ul>{legend}</ul></div>'


def shrunk(summary: dict[str, Any]) -> str:
    (width, height), (drawn_width, drawn_height) = summary["picture_size"], summary["overlay_size"]
    if (width, height) == (drawn_width, drawn_height):
        return ""
    return f"Segmented at {width} × {height}, shown at {drawn_width} × {drawn_height} pixels."


def shrunk_note(summary: dict[str, Any]) -> str:
    sentence = shrunk(summary)
    return f'<p class="note">{sentence}</p>' if sentence else ""
