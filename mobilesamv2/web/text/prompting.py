"""Sentences of *Point and box*."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ...formatting import count, number, percent, seconds

MODES = (("On it", "on"), ("Beside it", "beside"), ("Box", "box"))
MODE_LABEL = "A click places a point or a corner"
MODE_INFO = "Beside it (also Shift-click): not part of the object. A mouse can draw a box at any time."
ACTIONS = ("New", "Undo", "Remove", "Clear")
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
WITHOUT_POINTER = "By number or keys"
TYPED_LABEL = "Place in pixels of the photo"
TYPED_INFO = "x, y: a point, on the object or beside it as chosen above. x0, y0, x1, y1: a box."
TYPED_EXAMPLE = "320, 240"
TYPED_BUTTON = "Place"
LOST = "What was pointed at here before is gone: it was kept for a while only. This is the first object of a new start."
ONLY_BESIDE = "Points beside an object say where it is not; add one on it, or a box."

KEYS_FIRST = "Go to the picture with the Tab key. There:"
_KEYS = (
    ("Arrows", "move the cursor, with Shift by one pixel"),
    ("Enter", "places a point, or ends a box"),
    ("N", "places a point beside the object"),
    ("B", "places a corner of a box"),
    ("U", "undoes"),
    ("Escape", "gives a box up"),
)

NOTHING_ASKED = (
    "Say where the object is: points like [[x, y]], or a box like [x0, y0, x1, y1], in pixels of the photo."
)


def outside(place_xy: tuple[float, float], size_hw: tuple[int, int]) -> str:
    """What is wrong with a place that is not on the picture."""
    x, y = place_xy
    return f"({x:g}, {y:g}) lies outside the photo of {size_hw[1]} x {size_hw[0]} pixels."


def not_a_place(words: str) -> str:
    """What is wrong with a place that was typed."""
    got = f"{words.strip():.40}"
    return f"A place is two numbers, x, y, for a point or four, x0, y0, x1, y1, for a box; got {got or 'nothing'}."


def keys_html() -> str:
    """The keys, for those who see them: on the picture when it has the focus, and in a list."""
    rows = "".join(f"<div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div>" for key, what in _KEYS)
    return f'<p class="note">{KEYS_FIRST}</p><dl class="keys">{rows}</dl>'


def candidate(index: int, *, share: float, predicted_iou: float) -> str:
    """One mask to choose: its number, its share of the photo and its predicted IoU."""
    return f"{index + 1}: {percent(share)}, IoU {predicted_iou:.2f}"


def numbers(objects: Sequence[dict[str, Any]], summary: dict[str, Any] | None, note: str | None) -> str:
    """What has been pointed at: how many objects, what encoding and the last answer took, a row for each object.

    Args:
        objects: `number`, `colour`, `area`, `share`, `predicted_iou`, `points` and `box` (whether there is one)
            of each; `area` is None where there is no mask yet.
        summary: `encode_seconds`, `seconds`, `encoded_now` and `device` of the last answer, if there was one.
        note: a sentence below.
    """
    said = ""
    if summary is not None:
        when = "just now" if summary["encoded_now"] else "before"
        said = (
            f'<p class="note">Answered in {seconds(summary["seconds"])} on {escape(summary["device"])}. The photo was '
            f"encoded once, {when}, in {seconds(summary['encode_seconds'])}; Segment everything shares it.</p>"
        )
    rows = "".join(_row(record) for record in objects)
    table = (
        '<table class="targets"><thead><tr><th scope="col">Object</th><th scope="col">Asked by</th>'
        '<th scope="col">Pixels</th><th scope="col">Share</th><th scope="col">Predicted IoU</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
        if rows
        else ""
    )
    last = f'<p class="note" role="status">{escape(note)}</p>' if note else ""
    return f'<div class="outcome">{last}{said}{table}</div>'


def _row(record: dict[str, Any]) -> str:
    asked = [count(record["points"], "point")] if record["points"] else []
    asked += ["a box"] if record["box"] else []
    if record["area"] is None:
        found = "<td>–</td>" * 3
    else:
        found = (
            f"<td>{number(record['area'])}</td><td>{percent(record['share'])}</td>"
            f"<td>{record['predicted_iou']:.2f}</td>"
        )
    return (
        f'<tr><th scope="row"><i style="background:{escape(record["colour"])}"></i>{record["number"]}</th>'
        f"<td>{' and '.join(asked) or '–'}</td>{found}</tr>"
    )
