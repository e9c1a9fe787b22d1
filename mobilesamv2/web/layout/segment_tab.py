"""*Segment everything*: one overlay, one slider, one row of numbers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import gradio as gr

from .. import text
from ..handlers import HasStage, SegmentView, paced
from ..settings import Settings
from .parts import READY, last, png, run_buttons, slider
from .wiring import endpoint, on_run


class SegmentTab:
    """*Segment everything*: one overlay, one slider, one row of numbers."""

    def __init__(self, settings: Settings) -> None:
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
                choices=list(text.SAMPLERS),
                value="object-aware",
                label="Sampler",
                elem_id="sampler",
            )
            start = settings.prompts.start
            self.prompts = slider(
                settings.prompts, "Prompts", text.prompts_info("object-aware", start), elem_id="prompts"
            )
            self.buttons = run_buttons("segment")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(text.idle(text.SEGMENT_IDLE), elem_id="segment-numbers")
        self.outputs = [self.overlay, self.numbers, *self.buttons]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [None, text.idle(text.SEGMENT_IDLE), *READY]

    def connect(
        self,
        segment: Callable[..., Generator[HasStage | SegmentView, None, None]],
        *,
        photo: gr.Image,
        model: gr.Dropdown,
    ) -> Any:
        """Wire the tab up; returns the event of a run, for others to cancel."""

        def segment_page(
            photo: str | None, sampler: str, max_prompts: float, model: str
        ) -> Generator[tuple[Any, Any], None, None]:
            with closing(paced(segment(photo, sampler, max_prompts, model))) as items:
                for item in items:
                    if isinstance(item, SegmentView):
                        yield png(item.overlay, "overlay"), text.segment_numbers(item.summary)
                    else:
                        yield gr.skip(), text.step(item.stage, item.done, item.total)

        def segment_program(
            photo: str, sampler: str = "object-aware", max_prompts: float = 320, model: str = "nano"
        ) -> tuple[str, dict[str, Any]]:
            view = last(segment(photo, sampler, max_prompts, model))
            return png(view.overlay, "overlay"), view.summary

        inputs = [photo, self.sampler, self.prompts, model]
        for changed in (self.sampler.change, self.prompts.change):
            changed(
                None,
                [self.sampler, self.prompts],
                self.prompts,
                js=text.PROMPTS_INFO_JS,
                queue=False,
                api_visibility="private",
            )
        run = on_run(self.buttons, segment_page, inputs, [self.overlay, self.numbers], self.numbers)
        endpoint(
            segment_program,
            inputs,
            [gr.Image(label="overlay", format="png", visible=False), gr.JSON(label="summary", visible=False)],
            name="segment",
            description=text.SEGMENT_API,
        )
        return run
