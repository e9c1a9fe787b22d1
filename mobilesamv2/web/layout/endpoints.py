"""The page for programs: named endpoints, typed by invisible components whose first values are the defaults.

No visitor is known here: nothing is kept between calls.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import comparing, segmenting
from ..settings import EMBEDDED_MODEL, Range
from ..steps import last
from ..text import comparing as compare_text
from ..text import page as text
from ..text import segmenting as segment_text
from ..visits import Visit
from .page import Page
from .parts import photo_input, png, pngs
from .wiring import endpoint


def add_endpoints(page: Page) -> None:
    """Offer `/segment` and `/compare` to programs."""
    settings = page.settings
    run_segment = page.on_model(segmenting.run_segment, prompts=segmenting.prompts_of_segment)
    run_compare = page.on_model(comparing.run_compare, prompts=comparing.prompts_of_compare)

    def segment_program(
        photo: str, sampler: str = "object-aware", max_prompts: float = 320, model: str = EMBEDDED_MODEL
    ) -> tuple[str, dict[str, Any]]:
        items = segmenting.segment(
            Visit(),
            photo,
            sampler,
            int(max_prompts),
            model,
            run=run_segment,
            display_side=settings.display_side,
        )
        view = last(items)
        return png(view.overlay, "overlay"), view.summary

    def compare_program(
        photo: str,
        max_prompts: float = 320,
        points_per_side: float = 32,
        model: str = EMBEDDED_MODEL,
        draw_prompts: bool = False,
    ) -> tuple[str, str, dict[str, Any]]:
        items = comparing.compare(
            Visit(),
            photo,
            int(max_prompts),
            int(points_per_side),
            model,
            run=run_compare,
            display_side=settings.display_side,
        )
        view = last(items)
        return *pngs(view.with_prompts if draw_prompts else view.overlays), view.summary

    with gr.Row(visible=False):
        photo = photo_input(elem_id=None)
        sampler = gr.Radio(choices=list(text.SAMPLERS), value="object-aware", label="sampler")
        prompts = _number(settings.prompts, "max_prompts")
        side = _number(settings.grid_sides, "points_per_side")
        model = gr.Dropdown(choices=list(page.models.names), value=page.models.first, label="model")
        draw = gr.Checkbox(label="draw_prompts", value=False)
        overlay, grid, aware = (
            gr.Image(label=name, format="png") for name in ("overlay", "grid", "object_aware")
        )
        summary = gr.JSON(label="summary")
    endpoint(
        segment_program,
        [photo, sampler, prompts, model],
        [overlay, summary],
        name="segment",
        description=segment_text.API,
    )
    endpoint(
        compare_program,
        [photo, prompts, side, model, draw],
        [grid, aware, summary],
        name="compare",
        description=compare_text.API,
    )


def _number(offered: Range, label: str) -> gr.Slider:
    return gr.Slider(offered.low, offered.high, offered.start, step=offered.step, label=label)
