"""*Point and box*: a photo to point at, and the masks of what was pointed at."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
import numpy.typing as npt
from gradio.components import Component
from PIL import Image

from ...export import png_bytes
from ...render import fit_within
from .. import exporting, places, prompting
from ..prompting import Limits, PromptView
from ..steps import paced
from ..targets import Targets
from ..text import exporting as export_text
from ..text import page as page_text
from ..text import prompting as text
from ..visits import Visit
from .export_panel import ExportPanel
from .page import Page
from .parts import file_data, jpeg, properties
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
<p class="pad-tip" aria-hidden="true" hidden></p>
<p class="pad-keys" aria-hidden="true">{text.KEYS}</p>
<p class="pad-empty">The photo to point at appears here</p>
<p class="pad-aloud sr-only" role="status"></p>
</div>"""
_NO_CHOICE = properties(choices=[], value=None, visible=False)
_NOTHING = (_NO_CHOICE, _NO_CHOICE)
_NEW_PHOTO = "(photo) => ({photo: photo})"
_COPY = "copy of the photo to be seen"


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
                interactive=True,
                elem_id="prompt-mode",
            )
            with gr.Row(elem_classes="prompt-actions"):
                self.new, self.undo, self.remove, self.clear = (
                    gr.Button(label, size="sm", elem_id=f"prompt-{label.lower()}", min_width=40)
                    for label in text.ACTIONS
                )
            self.candidates = gr.Radio(
                choices=[],
                label=text.CANDIDATES_LABEL,
                visible=False,
                interactive=True,
                elem_id="prompt-candidates",
            )
            self.object = gr.Radio(
                choices=[], label=text.OBJECT_LABEL, visible=False, interactive=True, elem_id="prompt-object"
            )
            with gr.Accordion(text.WITHOUT_POINTER, open=False, elem_id="prompt-by-number"):
                self.typed = gr.Textbox(
                    label=text.TYPED_LABEL,
                    info=text.TYPED_INFO,
                    placeholder=text.TYPED_EXAMPLE,
                    submit_btn=text.TYPED_BUTTON,
                    max_length=80,
                    elem_id="prompt-typed",
                )
                gr.HTML(text.keys_html(), elem_id="prompt-keys")
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="prompt-numbers")
        with gr.Column(elem_classes="details"), gr.Accordion(export_text.TITLE, open=False):
            self.export = ExportPanel(page, "prompt", exporting.everything_pointed_at)
        self.shown = [page.visit, self.pad, self.candidates, self.object, self.numbers]
        self.outputs: list[Component] = [*self.shown[2:], *self.export.outputs]

    def cleared(self) -> list[Any]:
        """Values of `outputs` before a click."""
        return [*_NOTHING, page_text.idle(text.IDLE), *self.export.cleared()]

    def connect(self) -> list[Any]:
        """Wire the tab up; returns the events of its runs, for others to cancel."""
        page, private = self.page, {"api_visibility": "private"}
        run = page.on_model(prompting.run_predict, prompts=prompting.prompts_of_predict)

        options: dict[str, Any] = {
            "run": run,
            "limits": self.limits,
            "display_side": page.settings.display_side,
        }
        placing_at = in_sentences(partial(prompting.place, **options))
        placing_typed = in_sentences(partial(prompting.place_typed, **options))

        def pointed(
            key: str | None, photo: str | None, model: str, event: gr.EventData
        ) -> Generator[tuple[Any, ...], None, None]:
            visit, placed = page.visits.of(key), dict(event._data or {})
            items = placing_at(visit, photo, placed, model)
            yield from place(visit, photo, model, items, answered=placed.get("id"))

        def noted(key: str | None, photo: str | None, event: gr.EventData) -> None:
            if key is None:
                return  # `pointed` makes the visit, or two of them would be made
            placed = dict(event._data or {})
            with suppress(gr.Error), sentences():  # `pointed` will say what is wrong
                prompting.note_place(page.visits.of(key), photo, placed, limits=self.limits)

        def typed(
            key: str | None, photo: str | None, model: str, words: str, mode: str
        ) -> Generator[tuple[Any, ...], None, None]:
            visit = page.visits.of(key)
            yield from place(visit, photo, model, placing_typed(visit, photo, words or "", mode, model))

        def place(
            visit: Visit,
            photo: str | None,
            model: str,
            items: Generator[Any, None, None],
            *,
            answered: str | None = None,
        ) -> Generator[tuple[Any, ...], None, None]:
            rest = [gr.skip() for _ in self.shown[2:]]
            try:
                for fetched in in_sentences(page.models.fetch)(model):
                    if places.is_taken_back(visit, answered):
                        break
                    yield visit.key, *rest, page_text.step(fetched.stage, fetched.done, fetched.total)
                with closing(paced(items)) as paced_items:
                    for item in paced_items:
                        if isinstance(item, PromptView):
                            yield visit.key, *self._values(visit, photo, item, answered=answered)
                        else:
                            step = page_text.step(item.stage, item.done, item.total)
                            yield visit.key, *rest, step
            except gr.Error as error:
                places.withdraw(visit, answered)  # where the model itself could not be had
                yield visit.key, *self._as_before(visit, photo, error, answered=answered)

        # At once, for the answer takes turns with those of all visitors; and the visit is made before the first click.
        at_once: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "trigger_mode": "multiple",
            **private,
        }
        self.pad.opened(lambda key: page.visits.of(key).key, page.visit, page.visit, **at_once)
        self.pad.place(noted, [page.visit, page.photo], None, **at_once)
        at_hand = [page.visit, page.photo, page.model]
        placing, typing = (
            event(
                function,
                inputs,
                self.shown,
                concurrency_id=MODEL_LANE,
                concurrency_limit=1,
                trigger_mode="multiple",
                show_progress="minimal",
                show_progress_on=self.numbers,
                **private,
            )
            for event, function, inputs in (
                (self.pad.place, pointed, at_hand),
                (self.typed.submit, typed, [*at_hand, self.typed, self.mode]),
            )
        )
        page.photo.change(None, page.photo, self.pad, js=_NEW_PHOTO, queue=False, **private)
        # Among the runs: what it says of a new photo must outlast the clearing of what was said of the one before.
        looking = self.pad.unseen(
            self._look,
            [page.visit, page.photo],
            [page.visit, self.pad, self.numbers],
            show_progress="hidden",
            trigger_mode="multiple",  # also while the look at the photo before is on its way
            **private,
        )
        most = self.limits.objects
        changes: list[tuple[Callable[..., Any], Callable[..., Targets], list[Component]]] = [
            (self.new.click, lambda targets: targets.with_new(most_objects=most), []),
            (self.candidates.input, _choosing, [self.candidates]),
            (self.object.input, Targets.selecting, [self.object]),
        ]
        for event, changed, value in changes:
            self._connect_change(event, self._changing(changed), value)
        # The pad knows what has no answer yet and is to be taken back, so the buttons go through it.
        for name, button in (("undo", self.undo), ("remove", self.remove), ("clear", self.clear)):
            js = f"() => document.querySelector('#prompt-pad .pad').takeBack('{name}')"
            button.click(None, js=js, queue=False, **private)
        self._connect_change(self.pad.back, self._take_back, [], cancels=[typing])
        return [placing, typing, looking, self.export.connect()]

    def _connect_change(
        self, event: Callable[..., Any], listener: Callable[..., Any], value: list[Component], **options: Any
    ) -> None:
        event(
            listener,
            [self.page.visit, self.page.photo, *value],
            self.shown,
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            **options,
        )

    def _changing(self, changed: Callable[..., Targets]) -> Callable[..., tuple[Any, ...]]:
        """A listener for what needs no model; `changed` takes the targets and the value of the control."""

        def listener(key: str | None, photo: str | None, *value: Any) -> tuple[Any, ...]:
            return self._changed(key, photo, prompting.change, lambda targets: changed(targets, *value))

        return listener

    def _take_back(self, key: str | None, photo: str | None, event: gr.EventData) -> tuple[Any, ...]:
        """Undo, remove or clear, as the pad says; it also says which places have no answer yet."""
        told = dict(event._data or {})
        unanswered = [place for place in told.get("unanswered", []) if isinstance(place, str)]
        if told.get("what") == "undo":
            return self._changed(key, photo, prompting.undo, unanswered)
        changed = Targets.cleared if told.get("what") == "clear" else Targets.without_current
        return self._changed(key, photo, prompting.change, changed, unanswered=unanswered)

    def _changed(
        self,
        key: str | None,
        photo: str | None,
        change: Callable[..., PromptView],
        *what: Any,
        **options: Any,
    ) -> tuple[Any, ...]:
        """What is shown after a change that needs no model."""
        visit = self.page.visits.of(key)
        try:
            with sentences():
                view = change(visit, photo, *what, display_side=self.page.settings.display_side, **options)
        except gr.Error as error:
            return visit.key, *self._as_before(visit, photo, error)
        return visit.key, *self._values(visit, photo, view)

    def _look(self, key: str | None, photo: str | None) -> tuple[Any, Any, Any]:
        """For a photo that the browser cannot show, or was not told of: a copy that it can."""
        visit = self.page.visits.of(key)
        if (photo := visit.seen(photo)) is None:
            return visit.key, {}, gr.skip()
        try:
            with sentences():
                picture = visit.picture(photo)
                visit.keep(
                    _COPY,
                    jpeg(fit_within(picture, self.page.settings.display_side), "photo"),
                    picture=picture,
                )
        except gr.Error as error:
            return visit.key, {}, page_text.problem(error.message)
        size = [picture.shape[1], picture.shape[0]]
        return visit.key, {"photo": _photo_of(visit, photo), "size": size}, gr.skip()

    def _as_before(
        self, visit: Visit, photo: str | None, error: gr.Error, *, answered: str | None = None
    ) -> list[Any]:
        """What is shown after an error: what was there, and the sentence. `answered` as for `_values`."""
        try:
            with sentences():
                view = prompting.change(
                    visit, photo, lambda targets: targets, display_side=self.page.settings.display_side
                )
        except gr.Error:
            pad = {"turn": secrets.token_hex(4), "answered": answered, "photo": _photo_of(visit, photo)}
            return [pad, *_NOTHING, page_text.problem(error.message)]
        *values, numbers = self._values(visit, photo, view, answered=answered)
        has_objects = any(shown["points"] or shown["box"] for shown in view.objects)
        return [*values, page_text.problem(error.message) + (numbers if has_objects else "")]

    def _values(
        self, visit: Visit, photo: str | None, view: PromptView, *, answered: str | None = None
    ) -> list[Any]:
        """A view as values of the pad and of `outputs`; `answered` is the id of the place that it answers."""
        pad = {
            "turn": secrets.token_hex(4),  # the same again is told too: marks that wait for an answer go
            "answered": answered,
            "photo": _photo_of(visit, photo),
            "size": [view.size_hw[1], view.size_hw[0]],
            "layer": None if view.layer is None else _data_url(view.layer),
            "waiting": list(view.waiting),
            "masks": sum(shown["area"] is not None for shown in view.objects),
            "objects": [shown for shown in view.objects if shown["places"] or shown["around"]],
        }
        objects = [(str(shown["number"]), shown["number"]) for shown in view.objects]
        active = next(shown["number"] for shown in view.objects if shown["active"])
        choices = [
            (text.candidate(index, **told), _choice(active, index))
            for index, told in enumerate(view.candidates)
        ]
        rows = [shown for shown in view.objects if shown["points"] or shown["box"]]
        return [
            pad,
            gr.update(choices=choices, value=_choice(active, view.chosen), visible=True)
            if len(choices) > 1
            else _NO_CHOICE,
            gr.update(choices=objects, value=active, visible=True) if len(objects) > 1 else _NO_CHOICE,
            text.numbers(rows, view.summary, view.note) if rows or view.note else page_text.idle(text.IDLE),
        ]


def _choice(number: int, index: int) -> str:
    """One mask to choose, as a value: of which object it is, for a place may have begun another one meanwhile."""
    return f"{number}.{index}"


def _choosing(targets: Targets, choice: str) -> Targets:
    number, index = map(int, choice.split("."))
    return targets.choosing(index, number=number)


def _photo_of(visit: Visit, photo: str | None) -> dict[str, Any] | None:
    """The photo as a file that the browser gets an address of: as it was uploaded, or the copy made to be seen."""
    path = (visit.get(_COPY) if visit.has(photo) else None) or visit.seen(photo)
    return None if path is None else file_data(path)


def _data_url(layer: npt.NDArray[np.uint8]) -> str:
    """A layer as an address that holds it all: it goes with the answer, and no other visitor can ask for it."""
    return "data:image/png;base64," + base64.b64encode(png_bytes(Image.fromarray(layer))).decode("ascii")
