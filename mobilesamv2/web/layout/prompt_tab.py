"""*Point and box*: a photo to point at, and the masks of what was pointed at."""

from __future__ import annotations

import base64
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components import Component
from PIL import Image

from ...export import png_bytes
from .. import prompting
from ..prompting import Limits, PromptView
from ..steps import paced
from ..targets import Targets
from ..text import page as page_text
from ..text import prompting as text
from .page import Page
from .parts import properties, shown
from .sentences import in_sentences, sentences
from .serving import script
from .tab import Tab
from .wiring import MODEL_LANE

_PAD = f"""<div class="pad" tabindex="0" role="application" aria-label="Photo to point at. {text.KEYS}">
<div class="pad-picture">
<img class="pad-photo" alt="The photo to point at" draggable="false">
<img class="pad-layer" alt="" draggable="false" hidden>
<div class="pad-marks" aria-hidden="true"></div>
</div>
<p class="pad-empty">The photo to point at appears here</p>
<p class="pad-aloud sr-only" role="status"></p>
</div>"""
_NO_CHOICE = properties(choices=[], value=None, visible=False)
_LONGEST_ADDRESS = 2000


class PromptTab(Tab):
    """*Point and box*: a photo to point at, and the masks of what was pointed at."""

    name = "prompt"
    title = "Point and box"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        self.limits = Limits(objects=settings.most_objects, points=settings.most_points)
        with gr.Column(elem_classes="result"):
            self.pad = gr.HTML(
                {},
                html_template=_PAD,
                js_on_load=script("prompt"),
                elem_id="prompt-pad",
                elem_classes="stage",
            )
        with gr.Column(elem_classes="controls"):
            self.mode = gr.Radio(
                choices=list(text.MODES),
                value="on",
                label=text.MODE_LABEL,
                info=text.MODE_INFO,
                elem_id="prompt-mode",
            )
            with gr.Row(elem_classes="prompt-actions"):
                self.new, self.undo, self.remove, self.clear = (
                    gr.Button(label, size="sm", elem_id=f"prompt-{label.lower().split()[0]}", min_width=60)
                    for label in ("New object", "Undo", "Remove object", "Clear")
                )
            self.candidates = gr.Radio(
                choices=[],
                label=text.CANDIDATES_LABEL,
                info=text.CANDIDATES_INFO,
                visible=False,
                elem_id="prompt-candidates",
            )
            self.object = gr.Radio(
                choices=[], label=text.OBJECT_LABEL, info=text.OBJECT_INFO, visible=False, elem_id="prompt-object"
            )
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="prompt-numbers")
        self.outputs: list[Component] = [self.candidates, self.object, self.numbers]
        self.shown = [page.visit, self.pad, *self.outputs]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a click."""
        return [_NO_CHOICE, _NO_CHOICE, page_text.idle(text.IDLE)]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page, private = self.page, {"api_visibility": "private"}
        run = page.on_model(prompting.run_predict, prompts=prompting.prompts_of_predict)

        def place(
            key: str | None, photo: str | None, model: str, event: gr.EventData
        ) -> Generator[Any, None, None]:
            visit, placed = page.visits.of(key), dict(event._data or {})
            items = in_sentences(prompting.place)(
                visit,
                photo,
                placed,
                model,
                run=run,
                limits=self.limits,
                display_side=page.settings.display_side,
            )
            try:
                with closing(paced(items)) as paced_items:
                    for item in paced_items:
                        if isinstance(item, PromptView):
                            yield visit.key, *self._values(item, placed)
                        else:
                            step = page_text.step(item.stage, item.done, item.total)
                            yield visit.key, *(gr.skip(),) * 3, step
            except gr.Error as error:
                yield visit.key, *self._failed(visit.key, photo, placed, error)
                error.visible = False
                raise

        placing = self.pad.place(
            place,
            [page.visit, page.photo, page.model],
            self.shown,
            concurrency_id=MODEL_LANE,
            concurrency_limit=1,
            trigger_mode="multiple",
            show_progress="minimal",
            show_progress_on=self.numbers,
            **private,
        )
        page.photo.change(None, page.photo, self.pad, js=_NEW_PHOTO, queue=False, **private)
        self.pad.unseen(self._looked_at, [page.visit, page.photo], [page.visit, self.pad, self.numbers], **private)
        changes: list[tuple[Callable[..., Any], Callable[[Targets, Any], Targets], list[Component]]] = [
            (self.new.click, lambda it, _: it.with_new(most_objects=self.limits.objects), []),
            (self.undo.click, lambda it, _: it.undone(), []),
            (self.pad.undo, lambda it, _: it.undone(), []),
            (self.remove.click, lambda it, _: it.without_current(), []),
            (self.clear.click, lambda it, _: it.cleared(), []),
            (self.candidates.input, lambda it, index: it.choosing(int(index)), [self.candidates]),
            (self.object.input, lambda it, number: it.selecting(int(number)), [self.object]),
        ]
        for event, changed, value in changes:
            event(
                self._changing(changed),
                [page.visit, page.photo, self.pad, *value],
                self.shown,
                cancels=[placing],
                show_progress="hidden",
                trigger_mode="multiple",
                **private,
            )
        return [placing]

    def _changing(self, changed: Callable[[Targets, Any], Targets]) -> Callable[..., tuple[Any, ...]]:
        """A listener for what needs no model."""

        def listener(key: str | None, photo: str | None, pad: Any, *value: Any) -> tuple[Any, ...]:
            visit = self.page.visits.of(key)
            if photo is None:
                return visit.key, gr.skip(), *self.cleared()[:2], page_text.idle(text.IDLE)
            with sentences():
                view = prompting.change(
                    visit,
                    photo,
                    lambda targets: changed(targets, value[0] if value else None),
                    display_side=self.page.settings.display_side,
                )
            return visit.key, *self._values(view, pad)

        return listener

    def _looked_at(self, key: str | None, photo: str | None) -> tuple[Any, Any, Any]:
        """For photos that the browser cannot show: a copy that it can."""
        visit = self.page.visits.of(key)
        try:
            with sentences():
                picture = visit.picture(photo)
        except gr.Error as error:
            return visit.key, {}, page_text.problem(error.message)
        return visit.key, {"photo": _address(jpeg(picture, self.page.settings.display_side))}, gr.skip()
