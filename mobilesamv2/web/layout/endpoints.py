"""The page for programs: named endpoints, typed by invisible components whose first values are the defaults.

No visitor is known here: nothing is kept between calls.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import segmenting
from ..menus import OWN_BY_NAME, joined
from ..settings import EMBEDDED_MODEL, Range
from ..steps import last
from ..text import page as text
from ..text import segmenting as segment_text
from ..visits import Visit
from .compare_endpoints import add_budget, add_compare
from .endpoints_export import add_export
from .endpoints_prompt import add_predict_mask
from .page import Page
from .parts import photo_input, png
from .wiring import endpoint


def add_endpoints(page: Page) -> None:
    """Offer `/segment`, `/compare`, `/budget`, `/predict_mask`, `/export` and `/batch` to programs."""
    settings = page.settings
    run_segment = page.on_model(segmenting.run_segment, prompts=segmenting.prompts_of_segment)

    def segment_program(
        photo: str,
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
    ) -> tuple[str, dict[str, Any]]:
        """Segment everything in a photo.

        Args:
            photo: the photo, any size up to 120 megapixels.
            sampler: object-aware asks about boxes around objects, grid about points at regular distances.
            max_prompts: at most so many boxes, or the largest square of points that fits.
            model: name of the model.
            detector: name of what proposes the boxes; own is the one that the model is usually used with.
        """
        items = segmenting.segment(
            Visit(),
            photo,
            sampler,
            max_prompts,
            joined(model, detector),
            run=run_segment,
            display_side=settings.display_side,
        )
        view = last(items)
        return png(view.overlay, "overlay"), view.summary

    with gr.Row(visible=False):
        photo = photo_input(elem_id=None)
        sampler = gr.Radio(choices=list(text.SAMPLERS), value="object-aware", label="sampler")
        prompts = _number(settings.prompts, "max_prompts")
        model = gr.Dropdown(choices=list(page.models.names), value=page.models.first, label="model")
        detectors = [OWN_BY_NAME, *page.models.detectors]
        detector = gr.Dropdown(choices=detectors, value=OWN_BY_NAME, label="detector")
        overlay = gr.Image(label="overlay", format="png")
        summary = gr.JSON(label="summary")
        add_compare(page, photo, model, detector)
        add_budget(page, photo, model, detector)
        add_predict_mask(page, photo, model)
        add_export(page, photo, sampler, prompts, model, detector)
    endpoint(
        segment_program,
        [photo, sampler, prompts, model, detector],
        [overlay, summary],
        name="segment",
        description=segment_text.API,
    )


def _number(offered: Range, label: str) -> gr.Slider:
    return gr.Slider(offered.low, offered.high, offered.start, step=offered.step, label=label)
