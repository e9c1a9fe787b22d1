"""The mask viewer with its masks, and the table of masks: custom parts, for no component answers clicks on hundreds
of masks. What they do in the browser is in `scripts/mask_viewer.js` and `scripts/mask_table.js`."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from ...formatting import percent
from ..everything import MasksView, MaskView
from ..text import everything as text
from .parts import file_data, jpeg, png
from .serving import script

_VIEWER = (
    '<div class="viewer empty" tabindex="0" role="group" data-view="overlay" aria-label="{empty}" '
    'data-empty-name="{empty}"><p class="nothing">{empty}</p>'
    '<div class="frame"><img alt=""><canvas class="areas"></canvas><canvas class="lines"></canvas>'
    '<canvas class="veil"></canvas><canvas class="focus"></canvas></div>'
    '<p class="tip" hidden></p>'
    '<section class="card" aria-live="polite" hidden><div></div>'
    '<button type="button" aria-label="Show all masks again">×</button></section></div>'
)


def mask_viewer(elem_id: str) -> gr.HTML:
    """The mask viewer; its value is made by `viewer_value`, and `select` tells of a click."""
    return gr.HTML(
        html_template=_VIEWER.format(empty=escape(text.VIEWER_EMPTY)),
        js_on_load=script("mask_viewer"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="stage",
    )


def mask_table(elem_id: str) -> gr.HTML:
    """The table; its value is made by `table_value`."""
    return gr.HTML(
        html_template='<div class="masks-table" tabindex="0" role="region" aria-label="Table of masks"></div>',
        js_on_load=script("mask_table"),
        apply_default_css=False,
        elem_id=elem_id,
    )


def viewer_value(view: MasksView) -> dict[str, Any]:
    """What `scripts/mask_viewer.js` takes."""
    tips = [f"Mask {row[0]}, {percent(row[2] or 0.0)} of the photo" for row in view.rows or []]
    return {
        "edition": view.edition,
        "photo": file_data(jpeg(view.picture, "photo")),
        "labels": file_data(png(view.labels, "labels")),
        "colours": view.colours,
        "tips": tips,
        "size": list(view.size_wh),
        "name": text.viewer_name(len(view.colours)),
    }


def table_value(view: MasksView) -> dict[str, Any] | None:
    """What `scripts/mask_table.js` takes; None while masks are still coming."""
    return None if view.rows is None else {"rows": view.rows, "colours": view.colours}


def alone_value(view: MaskView, *, edition: str, index: int) -> dict[str, Any]:
    """What the mask viewer takes to show one mask alone."""
    return {
        "edition": edition,
        "index": index,
        "layer": file_data(png(view.picture, "mask")),
        "card": text.card(view.mask),
        "box": view.mask["box"],
        "prompt": view.mask["prompt"],
    }


def tell_viewer(name: str, detail: str) -> str:
    """JavaScript that sends the mask viewer an event; `detail` is written in terms of the `value` it is given."""
    viewer = 'document.querySelector("#segment-stage .viewer")'
    return f'(value) => {{ {viewer}.dispatchEvent(new CustomEvent("{name}", {{detail: {detail}}})); }}'
