"""*Segment everything*: one overlay, one slider, one row of numbers."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components import Component

from .. import segmenting
from ..segmenting import SegmentView
from ..steps import paced
from ..text import page as page_text
from ..text import segmenting as text
from ..visits import Visit
from .page import Page
from .parts import READY, png, run_buttons, slider
from .tab import Tab
from .wiring import on_run


class SegmentTab(Tab):
    """*Segment everything*: one overlay, one slider, one row of numbers."""

    name = "segment"
    title = "Segment everything"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        with gr.Column(elem_classes="result"):
            self.overlay = gr.Image(
                label="Masks",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="overlay",
                elem_classes="stage",
                alt_text="The photo with each mask painted in its own colour",
            )
        with gr.Column(elem_classes="controls"):
            self.sampler = gr.Radio(
                choices=list(page_text.SAMPLERS),
                value="object-aware",
                label="Sampler",
                elem_id="sampler",
            )
            start = settings.prompts.start
            self.prompts = slider(
                settings.prompts,
                text.PROMPTS_LABEL,
                text.prompts_info("object-aware", start),
                elem_id="prompts",
            )
            self.buttons = run_buttons("segment")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="segment-numbers")
        self.outputs: list[Component] = [self.overlay, self.numbers, *self.buttons]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [None, page_text.idle(text.IDLE), *READY]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page = self.page
        run = page.on_model(segmenting.run_segment, prompts=segmenting.prompts_of_segment)

        def segment(
            visit: Visit, photo: str | None, sampler: str, max_prompts: float, model: str
        ) -> Generator[tuple[Any, Any], None, None]:
            items = segmenting.segment(
                visit,
                photo,
                sampler,
                int(max_prompts),
                model,
                run=run,
                display_side=page.settings.display_side,
            )
            with closing(paced(items)) as paced_items:
                for item in paced_items:
                    if isinstance(item, SegmentView):
                        yield png(item.overlay, "overlay"), text.numbers(item.summary)
                    else:
                        yield gr.skip(), page_text.step(item.stage, item.done, item.total)

        for changed in (self.sampler.change, self.prompts.change):
            changed(
                None,
                [self.sampler, self.prompts],
                self.prompts,
                js=text.PROMPTS_INFO_JS,
                queue=False,
                api_visibility="private",
            )
        inputs = [page.photo, self.sampler, self.prompts, page.model]
        return [
            on_run(page, self.buttons, segment, inputs, [self.overlay, self.numbers], failed=[None]),
        ]
