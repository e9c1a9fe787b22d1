"""*Compare samplers*: two overlays under one slider, a verdict and a table."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import gradio as gr

from .. import text
from ..handlers import CompareView, HasStage, paced
from ..settings import Settings
from .parts import READY, last, pair, pngs, run_buttons, slider
from .wiring import endpoint, on_run


class CompareTab:
    """*Compare samplers*: two overlays under one slider, a verdict and a table."""

    def __init__(self, settings: Settings) -> None:
        with gr.Column(elem_classes="result"):
            gr.HTML(text.COMPARE_LEGEND, elem_id="compare-legend")
            # Both pairs come with the run; the box below only chooses which one is on the page.
            self.plain = pair("compare-plain", visible=True)
            self.prompted = pair("compare-prompted", visible=False)
        with gr.Column(elem_classes="controls"):
            start = settings.prompts.start, settings.grid_sides.start
            self.prompts = slider(
                settings.prompts,
                text.OBJECT_AWARE_LABEL,
                text.prompts_info("object-aware", start[0]),
                elem_id="compare-prompts",
            )
            self.grid_side = slider(
                settings.grid_sides,
                text.GRID_LABEL,
                text.prompts_info("grid", start[1] ** 2),
                elem_id="grid-side",
            )
            self.draw = gr.Checkbox(label="Draw the prompts", value=False, elem_id="draw-prompts")
            self.buttons = run_buttons("compare")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(text.idle(text.COMPARE_IDLE), elem_id="compare-numbers")
        self.outputs = [self.plain, self.prompted, self.numbers, *self.buttons]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [None, None, text.idle(text.COMPARE_IDLE), *READY]

    def connect(
        self,
        compare: Callable[..., Generator[HasStage | CompareView, None, None]],
        *,
        photo: gr.Image,
        model: gr.Dropdown,
    ) -> Any:
        """Wire the tab up; returns the event of a run, for others to cancel."""

        def compare_page(
            photo: str | None, max_prompts: float, points_per_side: float, model: str
        ) -> Generator[tuple[Any, Any, Any], None, None]:
            with closing(paced(compare(photo, max_prompts, points_per_side, model))) as items:
                for item in items:
                    if isinstance(item, CompareView):
                        plain, prompted = (pngs(pair) for pair in (item.overlays, item.with_prompts))
                        yield plain, prompted, text.compare_table(item.summary)
                    else:
                        yield gr.skip(), gr.skip(), text.step(item.stage, item.done, item.total)

        def compare_program(
            photo: str,
            max_prompts: float = 320,
            points_per_side: float = 32,
            model: str = "nano",
            draw_prompts: bool = False,
        ) -> tuple[str, str, dict[str, Any]]:
            view = last(compare(photo, max_prompts, points_per_side, model))
            return *pngs(view.with_prompts if draw_prompts else view.overlays), view.summary

        inputs = [photo, self.prompts, self.grid_side, model]
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
        run = on_run(
            self.buttons, compare_page, inputs, [self.plain, self.prompted, self.numbers], self.numbers
        )
        endpoint(
            compare_program,
            [*inputs, self.draw],
            [
                gr.Image(label="grid", format="png", visible=False),
                gr.Image(label="object_aware", format="png", visible=False),
                gr.JSON(label="summary", visible=False),
            ],
            name="compare",
            description=text.COMPARE_API,
        )
        return run
