"""*Point and box*: a photo to point at, and the masks of what was pointed at."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Any

import gradio as gr

from ...progress import Progress
from .. import exporting, prompting
from ..jobs import Question
from ..prompt_lists import Limits
from ..sessions import whole
from ..text import page as page_text
from ..text import prompting as text
from .export_panel import ExportPanel
from .page import Page, Tab
from .serving import script
from .wiring import AT_ONCE, MOST_AT_WORK, PRIVATE, VISITOR_LANE, Problem, told

_PAD = f"""<div class="pad" tabindex="0" role="application" aria-label="Photo to point at. {text.KEYS}">
<div class="pad-picture">
<img class="pad-photo" alt="The photo to point at" draggable="false">
<div class="pad-layers"></div>
<div class="pad-marks" aria-hidden="true"></div>
</div>
<p class="pad-tip" aria-hidden="true" hidden></p>
<p class="pad-keys" aria-hidden="true">{text.KEYS}</p>
<p class="pad-empty">The photo to point at appears here</p>
<p class="pad-aloud sr-only" role="status"></p>
</div>"""
_IN_BROWSER = 'document.querySelector("#prompt-pad .pad")'


class PromptTab(Tab):
    """*Point and box*. What is pointed at is known to the browser alone (`scripts/prompt.js`), which asks for masks."""

    name = "prompt"
    title = "Point and box"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        self.options: dict[str, Any] = {
            "run": page.run,
            "limits": Limits(objects=settings.most_objects, points=settings.most_points),
        }
        words = text.in_browser(settings.most_objects) | {
            "mostObjects": settings.most_objects,
            "colours": ["#" + bytes(colour).hex() for colour in prompting.COLOURS],
        }
        with gr.Column(elem_classes="result"):
            self.pad = gr.HTML(
                {},
                html_template=_PAD,
                js_on_load=f"const WORDS = {json.dumps(words)};\n{script('prompt')}",
                elem_id="prompt-pad",
                elem_classes="stage",
            )
            # What the server says. Not the pad's value, which is the photo: neither may overwrite the other.
            self.answer = gr.HTML(
                html_template="",
                js_on_load=f'watch("value", () => {_IN_BROWSER}.answer(props.value));',
                visible="hidden",
                elem_id="prompt-answer",
            )
            self.objects = gr.JSON([], visible="hidden", elem_id="prompt-objects")
        with gr.Column(elem_classes="controls"):
            gr.Radio(
                choices=[("On it", "on"), ("Beside it", "beside"), ("Box", "box")],
                value="on",
                label="A click places a point or a corner",
                info="Beside it (also Shift-click): not part of the object. A mouse can draw a box at any time.",
                interactive=True,
                elem_id="prompt-mode",
            )
            with gr.Row(elem_classes="prompt-actions"):
                self.actions = [
                    gr.Button(label, size="sm", elem_id=f"prompt-{label.lower()}", min_width=40)
                    for label in ("New", "Undo", "Remove", "Clear")
                ]
            self.candidates, self.object = (
                gr.Radio(choices=[], label=label, visible=False, interactive=True, elem_id=f"prompt-{name}")
                for name, label in (("candidates", text.CANDIDATES_LABEL), ("object", text.OBJECT_LABEL))
            )
            with gr.Accordion("By number or keys", open=False, elem_id="prompt-by-number"):
                self.typed = gr.Textbox(
                    label="Place in pixels of the photo",
                    info="x, y: a point, on the object or beside it as chosen above. x0, y0, x1, y1: a box.",
                    placeholder="320, 240",
                    submit_btn="Place",
                    max_length=80,
                    elem_id="prompt-typed",
                )
                gr.HTML(text.keys_html(), elem_id="prompt-keys")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="prompt-numbers")
        with gr.Column(elem_classes="details"), gr.Accordion(exporting.TITLE, open=False):
            take = partial(prompting.objects_pointed_at, **self.options)
            self.export = ExportPanel(page, "prompt", take, more=[self.objects, page.model])
        self.outputs, self.cleared = self.export.outputs, self.export.cleared  # the pad clears the rest itself

    def connect(self) -> None:
        page, at_once = self.page, AT_ONCE | {"trigger_mode": "multiple"}
        shown = [self.candidates, self.object, self.numbers, self.objects]
        self.pad.told(None, None, shown, js=f"() => {_IN_BROWSER}.told()", **at_once)
        page.photo.change(None, page.photo, self.pad, js="(photo) => ({photo})", **at_once)
        for button in self.actions:
            button.click(None, js=f'() => {_IN_BROWSER}.act("{button.value}")', **at_once)
        for event, component, do in (
            (self.candidates.input, self.candidates, 'act("choose", value)'),
            (self.object.input, self.object, 'act("select", value)'),
            (self.typed.submit, self.typed, "type(value)"),
        ):
            event(None, component, js=f"(value) => {_IN_BROWSER}.{do}", **at_once)
        asking = self.pad.ask(
            self._answer,
            [page.photo, page.model],
            self.answer,
            concurrency_id=VISITOR_LANE,
            concurrency_limit=MOST_AT_WORK,
            trigger_mode="multiple",
            show_progress="minimal",
            show_progress_on=self.numbers,
            api_name="ask",
            **PRIVATE,
        )
        asking.failure(None, js=f"() => {_IN_BROWSER}.lost()", **at_once)

    def _answer(
        self, request: gr.Request, photo: str | None, model: str, event: gr.EventData
    ) -> Generator[dict[str, Any], None, None]:
        """The answer to a question of the pad, after steps; each part names the question."""
        question = event._data if isinstance(event._data, dict) else {}
        session = self.page.session(request)
        answer: dict[str, Any] = {"id": whole(question.get("id"))}
        job = Question(session, whole(question.get("job")), session.runs)

        def work() -> Generator[Progress | dict[str, Any], None, None]:
            if not question.get("look"):
                yield from job.wanted(self.page.models.fetch(model))
            side = self.page.settings.display_side
            yield from prompting.answer(job, photo, question, model, side=side, **self.options)

        with closing(told(self.page, "page-prompt", work)) as items:
            for item in items:
                if isinstance(item, Progress):
                    yield answer | {"step": page_text.step(item.stage, item.done, item.total)}
                elif isinstance(item, Problem):
                    answer["problem"] = page_text.problem(item.sentence_html)
                else:
                    answer |= item
        yield answer  # with nothing in it where the photo is gone
