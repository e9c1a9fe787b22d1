"""*Compare samplers*: two overlays under one slider, a verdict, bars and a table."""

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
from ..visits import Visit
from .page import Page
from .parts import file_data, jpeg, png, run_buttons
from .serving import script
from .tab import Tab
from .wiring import on_run

_DUEL = f"""<div class="duel" data-view="both">
<div class="duel-frame" hidden>
<img class="duel-photo" alt="" draggable="false">
<div class="duel-side right"><img class="masks" alt=""><img class="prompts" alt=""></div>
<div class="duel-side left"><img class="masks" alt=""><img class="prompts" alt=""></div>
<img class="duel-alone" alt="">
<i class="duel-line" aria-hidden="true"></i>
<input class="duel-split" type="range" min="0" max="100" value="50" aria-label="{text.SPLIT_LABEL}">
</div>
<p class="duel-names" hidden><span class="left"></span><span class="matched"></span><span class="right"></span></p>
<p class="duel-empty">{text.EMPTY}</p>
</div>"""
_CAN_DRAW = '(view) => ({__type__: "update", interactive: view !== "alone"})'
_CHOOSE_VIEW = "(view, drawn, value) => ({...value, view, drawn})"


class CompareTab(Tab):
    """*Compare samplers*: two overlays under one slider, a verdict, bars and a table."""

    name = "compare"
    title = "Compare samplers"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        choices = text.contender_choices(settings.prompts, settings.grid_sides)
        with gr.Column(elem_classes="result"):
            self.duel = gr.HTML(
                {},
                html_template=_DUEL,
                js_on_load=script("compare"),
                elem_id="compare-duel",
                elem_classes="stage",
            )
        with gr.Column(elem_classes="controls"):
            with gr.Row(elem_id="contenders"):
                self.left, self.right = (
                    gr.Dropdown(
                        choices=choices,
                        value=value,
                        label=label,
                        info=text.CONTENDER_INFO,
                        filterable=False,
                        min_width=120,
                        elem_id=f"compare-{label.lower()}",
                    )
                    for value, label in (
                        (f"grid:{settings.grid_sides.start}", text.LEFT_LABEL),
                        (f"object-aware:{settings.prompts.start}", text.RIGHT_LABEL),
                    )
                )
            self.view = gr.Radio(
                choices=list(text.VIEWS), value="both", label=text.VIEW_LABEL, elem_id="compare-view"
            )
            self.draw = gr.Checkbox(label=text.DRAW_LABEL, value=False, elem_id="draw-prompts")
            self.buttons = run_buttons("compare")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="compare-numbers")
        with gr.Column(elem_classes="details"):
            self.details = gr.HTML("", elem_id="compare-details")
        self.outputs: list[Component] = [self.duel, self.details, self.numbers]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a run."""
        return [{}, "", page_text.idle(text.IDLE)]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page = self.page
        run = page.on_model(comparing.run_compare, prompts=comparing.prompts_of_compare)
        most = page.settings.prompts.high

        def compare(
            visit: Visit, photo: str | None, left: str, right: str, model: str
        ) -> Generator[tuple[Any, Any, Any], None, None]:
            contenders = comparing.contender_of(left, most=most), comparing.contender_of(right, most=most)
            items = comparing.compare(
                visit, photo, contenders, model, run=run, display_side=page.settings.display_side
            )
            with closing(paced(items)) as paced_items:
                for item in paced_items:
                    if isinstance(item, CompareView):
                        yield _shown(item), text.details(item.summary), text.outcome(item.summary)
                    else:
                        yield gr.skip(), gr.skip(), page_text.step(item.stage, item.done, item.total)

        for chosen in (self.view, self.draw):
            chosen.change(
                None,
                [self.view, self.draw, self.duel],
                self.duel,
                js=_CHOOSE_VIEW,
                queue=False,
                api_visibility="private",
            )
        # What each asked belongs to its own picture: there is none where both are shown in one.
        self.view.change(None, self.view, self.draw, js=_CAN_DRAW, queue=False, api_visibility="private")
        inputs = [page.photo, self.left, self.right, page.model]
        outputs = [self.duel, self.details, self.numbers]
        return [on_run(page, self.buttons, compare, inputs, outputs, failed=[{}, ""])]


def _shown(view: CompareView) -> dict[str, Any]:
    """A view as the value of the pictures under the slider."""
    height, width = view.picture.shape[:2]
    return {
        "size": [width, height],
        "photo": file_data(jpeg(view.picture, "photo")),
        "layers": {name: file_data(png(layer, name)) for name, layer in view.layers().items()},
        "names": list(text.names_of(view.summary)),
        "found": text.found_by(view.summary),
    }
