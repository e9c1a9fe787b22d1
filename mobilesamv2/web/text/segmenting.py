"""Sentences of *Segment everything*, and what runs of any kind have in common."""

from __future__ import annotations

import json
import math
from html import escape

from ...formatting import seconds
from ...sampler_kinds import SAMPLERS
from .page import STAGE_NAMES

PROMPTS_LABEL = "Prompts"

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


def hint(sampler: str, *, prompts: int, masks: int) -> str | None:
    """What to try where a run kept no mask; None where it kept some."""
    if masks:
        return None
    if SAMPLERS[sampler].has_detector and prompts == 0:
        return "No objects above the confidence threshold. Try grid search, which needs no objects."
    return "No mask passed the filters. Try more prompts, or another sampler."


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
