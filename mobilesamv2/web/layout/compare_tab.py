"""*Compare samplers*: two overlays under one slider, a verdict, bars and a table."""

from __future__ import annotations

from collections.abc import Generator

import gradio as gr

from ...comparison.compare import Comparison
from ...progress import Progress
from ...render import fit_within
from ...types import Picture
from .. import comparing
from ..jobs import Job
from ..text import page as page_text
from .page import Page, Tab
from .parts import file_data, jpeg, png, run_buttons
from .serving import script
from .wiring import AT_ONCE, Values, on_run

_SLIDER = f"""<div class="duel" data-view="both">
<div class="duel-frame" hidden>
<img class="duel-photo" alt="" draggable="false">
<div class="duel-side right"><img class="masks" alt=""><img class="prompts" alt=""></div>
<div class="duel-side left"><img class="masks" alt=""><img class="prompts" alt=""></div>
<img class="duel-alone" alt="">
<i class="duel-line" aria-hidden="true"></i>
<input class="duel-split" type="range" min="0" max="100" value="50" aria-label="{comparing.SPLIT_LABEL}">
</div>
<p class="duel-names" hidden><span class="left"></span><span class="matched"></span><span class="right"></span></p>
<p class="duel-empty">{comparing.EMPTY}</p>
</div>"""
_CAN_DRAW = '(view) => ({__type__: "update", interactive: view !== "alone"})'
_CHOOSE_VIEW = "(view, drawn, value) => ({...value, view, drawn})"


class CompareTab(Tab):
    """*Compare samplers*: two overlays under one slider, a verdict, bars and a table.

    Gradio's `ImageSlider` has no keyboard, no name for either side, and two fixed pictures: another view of the layers
    (one side, what only one found, with the prompts) would be another run of the server.
    """

    name = "compare"
    title = "Compare samplers"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        choices = comparing.choices(settings.prompts, settings.grid_sides)
        with gr.Column(elem_classes="result"):
            self.slider = gr.HTML(
                {},
                html_template=_SLIDER,
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
                        info="Grids: points a side. The others: prompts at most.",
                        filterable=False,
                        min_width=120,
                        elem_id=f"compare-{label.lower()}",
                    )
                    for value, label in (
                        (f"grid:{settings.grid_sides.start}", comparing.LEFT_LABEL),
                        (f"object-aware:{settings.prompts.start}", comparing.RIGHT_LABEL),
                    )
                )
            self.view = gr.Radio(list(comparing.VIEWS), value="both", label="Show", elem_id="compare-view")
            self.draw = gr.Checkbox(label="Draw the prompts", value=False, elem_id="draw-prompts")
            self.buttons = run_buttons("compare")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(comparing.IDLE), elem_id="compare-numbers")
        with gr.Column(elem_classes="details"):
            self.details = gr.HTML("", elem_id="compare-details")
        self.outputs = [self.slider, self.details, self.numbers]
        self.cleared = [{}, "", page_text.idle(comparing.IDLE)]

    def connect(self) -> None:
        page = self.page
        most, side = page.settings.prompts.high, page.settings.display_side

        def compare(
            job: Job, photo: str | None, left: str, right: str, model: str
        ) -> Generator[Progress | Values, None, None]:
            asked = comparing.CompareRequest(*(comparing.request_of(side, most=most) for side in (left, right)))
            yield Progress("read")
            picture = job.read(photo)
            for item in job.follow(page.run, picture, asked, model):
                if isinstance(item, Comparison):
                    yield Progress("draw")
                    yield _values(picture.picture, item, display_side=side)
                else:
                    yield item

        for chosen in (self.view, self.draw):
            chosen.change(None, [self.view, self.draw, self.slider], self.slider, js=_CHOOSE_VIEW, **AT_ONCE)
        # What each asked belongs to its own picture: there is none where both are shown in one.
        self.view.change(None, self.view, self.draw, js=_CAN_DRAW, **AT_ONCE)
        inputs = [page.photo, self.left, self.right, page.model]
        on_run(page, self.name, self.buttons, compare, inputs, self.outputs, cleared=self.cleared)


def _values(picture: Picture, found: Comparison, *, display_side: int) -> Values:
    """Values of the tab's outputs: the pictures under the slider, and the numbers."""
    small, summary = fit_within(picture, display_side), comparing.summary_of(found)
    (height, width), layers = small.shape[:2], comparing.layers(found, small.shape[:2])
    pictures = {
        "size": [width, height],
        "photo": file_data(jpeg(small, "photo")),
        "layers": {name: file_data(png(layer, name)) for name, layer in layers.items()},
        "names": list(comparing.names_of(summary)),
        "found": comparing.found_by(summary),
    }
    return pictures, comparing.details(summary, shown_wh=(width, height)), comparing.outcome(summary)
