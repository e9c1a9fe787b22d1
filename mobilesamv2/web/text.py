"""Every sentence and number on the page, as text or HTML. Knows nothing of components."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from .settings import LICENCE_URL, PAPER_URL

TITLE = "MobileSAMv2"
TAGLINE = "Segment everything in a photo: ask about objects, not about every point."
NO_PHOTO = "There is no photo yet: drop one, paste one or choose an example."
ERROR_TITLE = "That did not work"
UNEXPECTED = "Something went wrong on our side. Try again, or another photo; the details are in the log."
PHOTO_PLACEHOLDER = "Drop a photo here, paste one,\nor click to choose"
SAMPLERS = (("Object-aware", "object-aware"), ("Grid search", "grid"))
SAMPLER_NAMES = {value: label for label, value in SAMPLERS}
STAGE_NAMES = {
    "preprocess": "prepare",
    "encode": "encode",
    "discover": "find objects",
    "decode": "decode",
    "filter": "filter",
    "postprocess": "finish",
}
SHARED_STAGES = ("preprocess", "encode")
_STEP_SENTENCES = {
    "read": "Reading the photo",
    "load": "Loading the model",
    "preprocess": "Preparing the photo",
    "encode": "Encoding the photo",
    "discover": "Choosing what to ask",
    "decode": "Decoding masks",
    "filter": "Filtering masks",
    "postprocess": "Finishing masks",
    "draw": "Drawing the result",
}
SEGMENT_IDLE = "Numbers appear here after a run: masks, prompts and the seconds of each stage."
COMPARE_IDLE = "One run asks both samplers about one encoding of the photo and compares what they cost."
CANCELLED = "Cancelled."

SEGMENT_API = (
    "Segment everything in a photo. Returns the overlay as a PNG, at most as large as the page shows it, and a "
    "summary: prompts asked, masks decoded and kept, seconds of each stage, model and device."
)
COMPARE_API = (
    "Run grid search and object-aware sampling on one encoding of a photo. Returns both overlays as PNGs, with the "
    "prompts drawn if asked, and a summary of both runs with the speed-up and a verdict in one sentence."
)

PROMPTS_LABEL = "Prompts"
OBJECT_AWARE_LABEL = "Boxes, object-aware"
GRID_LABEL = "Points per side, grid search"
COMPARE_LEGEND = '<p><span class="grid">Grid search</span><span class="aware">Object-aware</span></p>'


def hint(sampler: str, *, prompts: int, masks: int) -> str | None:
    """What to try where a run kept no mask; None where it kept some."""
    if masks:
        return None
    if sampler == "object-aware" and prompts == 0:
        return "No objects above the confidence threshold. Try grid search, which needs no objects."
    return "No mask passed the filters. Try more prompts, or the other sampler."


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


def number(value: int) -> str:
    """An integer with thousands apart: 1,024."""
    return f"{value:,}"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: "1 box", "1,024 points"."""
    return f"{number(value)} {singular if value == 1 else plural or singular + 's'}"


def seconds(value: float) -> str:
    """Seconds with as many digits as they deserve: 12.3 s, 1.24 s, 35 ms."""
    if value >= 10:
        return f"{value:.1f} s"
    if value >= 0.995:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms"


def times(value: float) -> str:
    """A ratio with two or three digits: 1.4 times, 12 times."""
    return f"{value:.1f} times" if value < 9.95 else f"{value:.0f} times"


def prompts_info(sampler: str, prompts: int) -> str:
    """What the prompt slider means for that sampler; `PROMPTS_INFO_JS` says the same in the browser."""
    side = math.isqrt(prompts)
    if sampler == "grid":
        return f"Asks about a grid of {side} × {side} = {side * side} points."
    return f"Asks about at most {prompts} boxes around objects, surest first."


PROMPTS_INFO_JS = """(sampler, prompts) => {
    const side = Math.floor(Math.sqrt(prompts));
    const info = sampler === "grid"
        ? `Asks about a grid of ${side} × ${side} = ${side * side} points.`
        : `Asks about at most ${prompts} boxes around objects, surest first.`;
    return {__type__: "update", info};
}"""
BOXES_INFO_JS = """(prompts) => ({
    __type__: "update", info: `Asks about at most ${prompts} boxes around objects, surest first.`
})"""
SHOW_PROMPTS_JS = """(drawn) => [
    {__type__: "update", visible: !drawn}, {__type__: "update", visible: drawn}
]"""
SIDE_INFO_JS = """(side) => ({
    __type__: "update", info: `Asks about a grid of ${side} × ${side} = ${side * side} points.`
})"""

PICTURE_NAMES_JS = """() => {
    const name = () => {
        for (const image of document.querySelectorAll("#examples .gallery-item img:not([alt^=Example])")) {
            const file = decodeURIComponent(image.src.split("/").pop()).replace(/\\.[^.]*$/, "");
            image.alt = image.closest("button").title = `Example: ${file.replace(/[-_]/g, " ")}`;
        }
        for (const image of document.querySelectorAll(":is(#compare-plain, #compare-prompted) img:not([alt^=The])"))
            image.alt = "The photo with the masks of "
                + (image.src.endsWith("/grid.png") ? "grid search" : "object-aware sampling");
    };
    name();
    new MutationObserver(name).observe(document.getElementById("bench"), {childList: true, subtree: true});
}"""
"""Names the pictures to which Gradio gives none, now and whenever one comes, for those who cannot see them."""


def masthead() -> str:
    return f"<h1>{TITLE}</h1><p>{TAGLINE}</p>"


def running_on(device: str) -> str:
    """Where the model named beside it runs: in the head of the page."""
    return f"<p>on <strong>{escape(device)}</strong></p>"


def colophon(source_url: str) -> str:
    """What the page is made of, at its foot."""
    links = (("Source code", source_url), ("Paper", PAPER_URL), ("AGPL-3.0-or-later", LICENCE_URL))
    return (
        '<nav aria-label="About this page">'
        + "".join(
            f'<a href="{escape(url)}" target="_blank" rel="noopener">{escape(name)}</a>'
            for name, url in links
        )
        + "</nav>"
    )


def idle(sentence: str) -> str:
    return f'<p class="idle">{escape(sentence)}</p>'


def problem(sentence_html: str) -> str:
    return f'<p class="problem" role="alert">{sentence_html}</p>'


def step(stage: str, done: int, total: int) -> str:
    """A bar and a sentence: what the model is at. Without a total the bar only says that it works."""
    sentence = _STEP_SENTENCES.get(stage, stage)
    if total > 1:
        share, amount = f' value="{done}" max="{total}"', f" {number(done)} of {number(total)}"
    else:
        share, amount = "", ""
    return (
        f'<div class="working" role="status"><p>{escape(sentence)}{amount}</p>'
        f'<progress aria-label="{escape(sentence)}"{share}></progress></div>'
    )


def segment_numbers(summary: dict[str, Any]) -> str:
    """The result of one run: the large numbers, the stages as one bar, a hint where there is one."""
    facts = (
        (number(summary["masks"]), "mask" if summary["masks"] == 1 else "masks"),
        (number(summary["prompts"]), "prompt asked" if summary["prompts"] == 1 else "prompts asked"),
        (seconds(summary["total_seconds"]), f"on {summary['device']}"),
    )
    tiles = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in facts)
    note = f'<p class="note">{escape(summary["hint"])}</p>' if summary["hint"] else _shrunk_note(summary)
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


def compare_table(summary: dict[str, Any]) -> str:
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
    note = f"Both share one encoding of {seconds(encoding)} on {aware['device']}. {_shrunk(summary)}"
    return (
        f'<div class="outcome"><p class="verdict">{escape(summary["verdict"])}</p>'
        f'<table><thead><tr><th scope="col"><span class="sr-only">Sampler</span></th>{head}</tr></thead>'
        f'<tbody>{rows}</tbody></table><p class="note">{escape(note)}</p></div>'
    )


def _speed(kind: str, speedup: float | None) -> str:
    if kind == "grid":
        return "1 ×"
    return "–" if speedup is None else f"<b>{speedup:.1f} ×</b>"


def _shrunk(summary: dict[str, Any]) -> str:
    (width, height), (drawn_width, drawn_height) = summary["picture_size"], summary["overlay_size"]
    if (width, height) == (drawn_width, drawn_height):
        return ""
    return f"Segmented at {width} × {height}, shown at {drawn_width} × {drawn_height} pixels."


def _shrunk_note(summary: dict[str, Any]) -> str:
    sentence = _shrunk(summary)
    return f'<p class="note">{sentence}</p>' if sentence else ""
