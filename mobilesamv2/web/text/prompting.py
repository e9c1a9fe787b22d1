"""Sentences of *Point and box*."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ...formatting import count, number, percent, seconds
from . import page as page_text

CANDIDATES_LABEL = "One click may mean a thing or a part of it: choose"
OBJECT_LABEL = "Object that points belong to (a box begins a new one)"
IDLE = (
    "Click on an object, or drag a box around it. The photo is encoded at the first click and only once: each "
    "further answer, and Segment everything, use the same encoding."
)
KEYS = (
    "Keys: arrows move the cursor (with Shift by one pixel), Enter places a point, N one beside the object, "
    "B the corners of a box, U undoes, Escape gives a box up."
)
ONLY_BESIDE = "Points beside an object say where it is not; add one on it, or a box."
NO_PIXEL = "That box has no pixel inside; drag from one corner to the opposite one."
NOTHING_ASKED = "Say where the object is: points like [[x, y]], or a box like [x0, y0, x1, y1], in pixels of the photo."

_KEYS_FIRST = "Go to the picture with the Tab key. There:"
_KEYS = (
    ("Arrows", "move the cursor, with Shift by one pixel"),
    ("Enter", "places a point, or ends a box"),
    ("N", "places a point beside the object"),
    ("B", "places a corner of a box"),
    ("U", "undoes"),
    ("Escape", "gives a box up"),
)
_COLUMNS = ("Object", "Asked by", "Pixels", "Share", "Predicted IoU")


def in_browser(most_objects: int) -> dict[str, Any]:
    """What `scripts/prompt.js` says by itself, as HTML; {} stands for what was typed."""
    not_a_place = "A place is two numbers, x, y, for a point or four, x0, y0, x1, y1, for a box; got {}."
    return {
        "idle": page_text.idle(IDLE),
        "noPhoto": page_text.problem(page_text.NO_PHOTO),
        "full": page_text.problem(f"One photo takes at most {count(most_objects, 'object')} here; remove one."),
        "notAPlace": page_text.problem(not_a_place),
        "head": "<tr>" + "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS) + "</tr>",
        "noCells": "<td>–</td>" * 3,
        "placed": {
            "point": "Point placed.",
            "box": "Box placed.",
            "corner": "First corner. Go to the opposite one.",
        },
    }


def outside(place_xy: tuple[float, float], size_hw: tuple[int, int]) -> str:
    """What is wrong with a place that is not on the picture."""
    x, y = place_xy
    return f"({x:g}, {y:g}) lies outside the photo of {size_hw[1]} x {size_hw[0]} pixels."


def keys_html() -> str:
    """The keys, for those who see them: on the picture when it has the focus, and in a list."""
    rows = "".join(f"<div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>" for key, what in _KEYS)
    return f'<p class="note">{_KEYS_FIRST}</p><dl class="keys">{rows}</dl>'


def candidate(index: int, *, share: float, predicted_iou: float) -> str:
    """One mask to choose: its number, its share of the photo and its predicted IoU."""
    return f"{index + 1}: {percent(share)}, IoU {predicted_iou:.2f}"


def cells(area: int, *, share: float, predicted_iou: float) -> str:
    """The numbers of a mask in the table of objects, after its number and what it was asked by."""
    return f"<td>{number(area)}</td><td>{percent(share)}</td><td>{predicted_iou:.2f}</td>"


def only_beside() -> str:
    """Why nothing was asked."""
    return f'<p class="note" role="status">{ONLY_BESIDE}</p>'


def answered(timings: Mapping[str, float], device: str, *, encoded_now: bool) -> str:
    """What an answer took, in seconds per stage."""
    when, encoding = ("just now" if encoded_now else "before"), timings["preprocess"] + timings["encode"]
    return (
        f'<p class="note">Answered in {seconds(timings["decode"])} on {escape(device)}. The photo was encoded once, '
        f"{when}, in {seconds(encoding)}; Segment everything shares it.</p>"
    )
