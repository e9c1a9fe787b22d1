"""*Compare samplers*: two overlays under one slider, a verdict and a table."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components import Component

from .. import comparing
from ..comparing import CompareView
from ..steps import paced
from ..text import comparing as text
from ..text import page as page_text
from ..text.segmenting import prompts_info
from ..visits import Visit
from .page import Page
from .parts import READY, pair, pngs, run_buttons, slider
from .tab import Tab
from .wiring import on_run


class CompareTab(Tab):
    """*Compare samplers*: two overlays under one slider, a verdict and a table."""

    name = "compare"
    title = "Compare samplers"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        with gr.Column(elem_classes="result"):
            gr.HTML(text.LEGEND, elem_id="compare-legend")
            # Both pairs come with the run; the box below only chooses which one is on the page.
            self.plain = pair("compare-plain", visible=True)
            self.prompted = pair("compare-prompted", visible=False)
        with gr.Column(elem_classes="controls"):
            start = settings.prompts.start, settings.grid_sides.start
            self.prompts = slider(
                settings.prompts,
                text.BOXES_LABEL,
                prompts_info("object-aware", start[0]),
                elem_id="compare-prompts",
            )
            self.grid_side = slider(
                settings.grid_sides,
                text.GRID_LABEL,
                prompts_info("grid", start[1] ** 2),
                elem_id="grid-side",
            )
            self.draw = gr.Checkbox(label="Draw the prompts", value=False, elem_id="draw-prompts")
            self.buttons = run_buttons("compare")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="compare-numbers")
        self.outputs: list[Component] = [self.plain, self.prompted, self.numbers, *self.buttons]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [None, None, page_text.idle(text.IDLE), *READY]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page = self.page
        run = page.on_model(comparing.run_compare, prompts=comparing.prompts_of_compare)

        def compare(
            visit: Visit, photo: str | None, max_prompts: float, points_per_side: float, model: str
        ) -> Generator[tuple[Any, Any, Any], None, None]:
            items = comparing.compare(
                visit,
                photo,
                int(max_prompts),
                int(points_per_side),
                model,
                run=run,
                display_side=page.settings.display_side,
            )
            with closing(paced(items)) as paced_items:
                for item in paced_items:
                    if isinstance(item, CompareView):
                        plain, prompted = (pngs(pair) for pair in (item.overlays, item.with_prompts))
                        yield plain, prompted, text.table(item.summary)
                    else:
                        yield gr.skip(), gr.skip(), page_text.step(item.stage, item.done, item.total)

        for moved, info in ((self.prompts, text.BOXES_INFO_JS), (self.grid_side, text.SIDE_INFO_JS)):
            moved.change(None, moved, moved, js=info, queue=False, api_visibility="private")
        self.draw.change(
            None,
            self.draw,
            [self.plain, self.prompted],
            js=text.SHOW_PROMPTS_JS,
            queue=False,
            api_visibility="private",
        )
        inputs = [page.photo, self.prompts, self.grid_side, page.model]
        outputs = [self.plain, self.prompted, self.numbers]
        return [on_run(page, self.buttons, compare, inputs, outputs, failed=[None, None])]
