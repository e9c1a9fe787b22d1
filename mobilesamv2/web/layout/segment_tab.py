"""*Segment everything*: the picture with its masks, one dial, a slider, numbers; filters and a table below."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.components import Component

from ...filters import ViewFilters
from ...progress import Progress
from ...request import Request
from ...sampler_kinds import SAMPLERS
from .. import everything, exporting
from ..everything import MasksView
from ..jobs import Job
from ..mask_views import ViewRequest
from ..steps import paced
from ..text import everything as text
from ..text import page as page_text
from .export_panel import ExportPanel
from .mask_viewer import alone_value, mask_table, mask_viewer, table_value, tell_viewer, viewer_value
from .page import Page, Tab
from .parts import prompts_input, properties, run_buttons, sampler_input
from .sentences import in_sentences, sentences
from .wiring import AT_ONCE, MOST_AT_WORK, PRIVATE, QUIET, VISITOR_LANE, Values, on_run

_RELAY = f'watch("value", () => ({tell_viewer("mask:alone", "value")})(props.value));'
_FILTERS = ("min_area_percent", "min_predicted_iou", "min_stability", "mask_nms", "hide_nested", "flatten")
"""Of `ViewFilters`, in the order of the controls."""
_NOTHING = (None, None, None, properties(value=text.RUN))
"""Values of viewer, mask alone, table and run button where there are no masks."""


class SegmentTab(Tab):
    name = "segment"
    title = "Segment everything"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        with gr.Column(elem_classes="result"):
            self._toolbar()
            self.viewer = mask_viewer("segment-stage")
            # Carries one mask to the viewer, which shows it alone.
            self.alone = gr.HTML(html_template="", js_on_load=_RELAY, elem_id="segment-alone", elem_classes="relay")
        with gr.Column(elem_classes="controls"):
            self._controls()
        with gr.Column(elem_classes="numbers"):
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="segment-numbers")
        with gr.Column(elem_classes="details", elem_id="segment-details"):
            with gr.Column(elem_classes="filters"):
                self._filters()
            with gr.Column(elem_classes="browse"):
                gr.HTML("<h2>Masks</h2>", elem_classes="heading")
                self.table = mask_table("segment-table")
                with gr.Accordion(exporting.TITLE, open=False, elem_id="segment-take"):
                    self.export = ExportPanel(page, "segment", exporting.everything_shown)
                with gr.Accordion("How this works", open=False, elem_id="how"):
                    gr.HTML(text.HOW)
        self.shown: list[Component] = [self.viewer, self.alone, self.table, self.buttons[0], self.numbers]
        self.outputs = [*self.shown, *self.export.outputs]
        self.cleared = [*_NOTHING, page_text.idle(text.IDLE), *self.export.cleared]

    def _toolbar(self) -> None:
        with gr.Row(elem_classes="toolbar"):
            self.view = gr.Radio(
                choices=[("Masks", "overlay"), ("Original", "original"), ("Cut-out", "cutout")],
                value="overlay",
                label="View",
                show_label=False,
                elem_id="view",
                min_width=240,
            )
            self.opacity = gr.Slider(
                0, 1, 0.5, step=0.05, label="Opacity", buttons=[], elem_id="opacity", min_width=200
            )

    def _controls(self) -> None:
        settings = self.page.settings
        self.effort = gr.Radio(
            choices=list(settings.efforts),
            value="Balanced",
            label="Effort",
            info="Sets sampler, prompts and confidence, to be changed below and under Advanced.",
            elem_id="effort",
        )
        self.prompts = prompts_input(settings.prompts, "prompts")
        self.buttons = run_buttons("segment")
        with gr.Accordion("Advanced", open=False, elem_id="advanced"):
            self.sampler = sampler_input("sampler")
            self.confidence = gr.Slider(
                0.05,
                0.9,
                0.4,
                step=0.05,
                label="Confidence",
                info="How sure the detector must be of an object. Lower finds more, and more that is none.",
                buttons=[],
                elem_id="confidence",
            )

    def _filters(self) -> None:
        gr.HTML("<h2>Filters</h2>", elem_classes="heading")
        own = gr.Checkbox(label=text.OWN_FILTERS_LABEL, info=text.OWN_FILTERS_INFO, value=True, elem_id="own-filters")
        with gr.Group():
            min_area = _filter(0, 5, 0, 0.05, "Minimum area, % of the photo", text.MIN_AREA_INFO, "min-area")
            min_iou = _filter(0, 1, 0, 0.01, "Predicted IoU", text.MIN_IOU_INFO, "min-iou")
            min_stability = _filter(0, 1, 0, 0.01, "Stability", text.MIN_STABILITY_INFO, "min-stability")
            most = self.page.settings.most_clean
            clean = _filter(0, most, 0, 10, "Clean, pixels", text.CLEAN_INFO, "clean")
            mask_nms = _filter(0.1, 1, 1, 0.05, "Mask NMS, IoU", text.MASK_NMS_INFO, "mask-nms")
        nested = gr.Checkbox(label="Hide nested masks", info=text.NESTED_INFO, elem_id="hide-nested")
        apart = gr.Checkbox(label="One mask per pixel", info=text.APART_INFO, elem_id="one-per-pixel")
        self.filters: list[Component] = [own, clean, min_area, min_iou, min_stability, mask_nms, nested, apart]

    def connect(self) -> None:
        page, side, shown = self.page, self.page.settings.stage_side, self.shown
        options = [self.sampler, self.prompts, self.confidence, page.model, *self.filters]
        controls = [page.photo, *options]

        def segment(job: Job, photo: str | None, *chosen: Any) -> Generator[Progress | Values, None, None]:
            is_whole = False
            items = everything.segment_everything(job, photo, _wanted(*chosen), run=page.run, side=side)
            with closing(items):
                for item in items:
                    if isinstance(item, MasksView):
                        is_whole = item.summary is not None
                        yield _values(item, is_cancelled=job.is_stale)
                    else:
                        yield item
            if not is_whole:
                yield *_NOTHING, page_text.idle(page_text.CANCELLED)

        def view_again(request: gr.Request, photo: str | None, *chosen: Any) -> Values:
            with sentences():
                view = everything.view_again(page.session(request), photo, _wanted(*chosen), side=side)
            if view is None:  # nothing is decoded with these options: what is shown stays
                return *(gr.skip() for _ in shown[:3]), gr.update(value=text.RUN), gr.skip()
            return _values(view)

        def after_run(request: gr.Request, photo: str | None, *chosen: Any) -> Values:
            found = everything.shown_to(page.session(request), photo)
            if found is None or found.wanted == _wanted(*chosen):
                return tuple(gr.skip() for _ in shown)
            return view_again(request, photo, *chosen)  # a control was moved meanwhile

        def pick(request: gr.Request, event: gr.EventData) -> Any:
            told = event._data if isinstance(event._data, dict) else {}
            edition, mask = str(told.get("edition")), told.get("mask")
            index = mask if isinstance(mask, int) else -1
            with sentences():
                view = everything.pick(page.session(request), edition, index, side=side)
            return gr.skip() if view is None else alone_value(view, edition=edition, index=index)

        cleared = self.cleared[: len(shown)]
        running = on_run(page, self.name, self.buttons, segment, controls, shown, cleared=cleared)
        running.then(after_run, controls, shown, **AT_ONCE)
        self._connect_in_browser()  # first: of one event's listeners each waits for the one before
        for changed in options:
            changed.change(view_again, controls, shown, trigger_mode="always_last", **AT_ONCE)
        self._connect_first_example(options)
        self.viewer.select(pick, None, self.alone, **AT_ONCE)

    def _connect_first_example(self, options: list[Component]) -> None:
        """Let a new visitor see the first example's masks: at once where they are there, else when they are made.

        Unless there is a photo by then: it was chosen while the page was still being set up.
        """
        page, side = self.page, self.page.settings.stage_side
        if not (page.settings.first_example and page.settings.examples):
            return
        photo, example = str(page.settings.examples[0]), everything.FirstExample()
        nothing = tuple(gr.skip() for _ in self.shown)

        def kept(request: gr.Request, chosen_photo: str | None, *chosen: Any) -> Values:
            if chosen_photo is not None:
                return nothing
            view = example.shown_to(page.session(request), photo, _wanted(*chosen), side=side)
            return nothing if view is None else _values(view, is_example=True)

        def made(request: gr.Request, chosen_photo: str | None, *chosen: Any) -> Generator[Values, None, None]:
            yield nothing  # a generator that yields nothing would clear them
            if chosen_photo is not None:
                return
            session = page.session(request)
            steps = in_sentences(example.steps)(session, photo, _wanted(*chosen), run=page.run, side=side)
            with closing(paced(steps)) as items:
                for item in items:
                    if isinstance(item, MasksView):
                        yield _values(item, is_example=True)
                    else:
                        yield *nothing[1:], page_text.step(item.stage, item.done, item.total)
            if session.runs.latest or session.runs.dropped:
                yield nothing  # the last values are sent twice

        hidden: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
        at_once = gr.on(
            [page.load],
            kept,
            [page.photo, *options],
            self.shown,
            concurrency_limit=None,
            api_name="kept_example",
            **hidden,
        )
        making = at_once.success(
            made,
            [page.photo, *options],
            self.shown,
            concurrency_id=VISITOR_LANE,
            concurrency_limit=MOST_AT_WORK,
            api_name="example",
            **hidden,
        )
        # It may have been on its way to the browser when a photo was chosen there.
        cleared = json.dumps(self.cleared[: len(self.shown)])
        is_late = f"window.jobs.dropped() && !window.jobs.latestOf({json.dumps(self.name)})"
        late = f"() => {is_late} ? {cleared} : {json.dumps([gr.skip() for _ in self.shown])}"
        for shown in (at_once, making):
            shown.then(None, None, self.shown, js=late, **QUIET)

    def _connect_in_browser(self) -> None:
        """What needs no server: the dial, the slider's sentence, view and opacity."""
        told = [self.sampler, self.prompts]
        for changed in (self.sampler.change, self.prompts.change):
            changed(None, told, self.prompts, js=text.PROMPTS_INFO_JS, **QUIET)
        dials = [self.sampler, self.prompts, self.confidence]
        efforts = self.page.settings.efforts
        self.effort.input(None, self.effort, dials, js=_effort_js(efforts), **QUIET)
        for dial in dials:
            dial.change(None, dials, self.effort, js=_named_effort_js(efforts), **QUIET)
        at_hand = self.page.at_hand
        at_hand.change(None, at_hand, None, js=tell_viewer("viewer:photo", "{url: value}"), **QUIET)
        self.view.change(None, self.view, None, js=tell_viewer("viewer:set", "{view: value}"), **QUIET)
        self.opacity.change(None, self.opacity, None, js=tell_viewer("viewer:set", "{opacity: value}"), **QUIET)


def _values(view: MasksView, *, is_example: bool = False, is_cancelled: bool = False) -> Values:
    """A view as values of viewer, mask alone, table, run button and numbers."""
    if view.summary is None:
        return viewer_value(view), None, None, gr.skip(), gr.skip()
    numbers = text.numbers(view.summary, is_example=is_example, is_cancelled=is_cancelled)
    label = gr.update(value=text.run_label(view.summary))  # what is not decoded yet of what is wanted
    return viewer_value(view), None, table_value(view), label, numbers


def _wanted(
    sampler: str, prompts: float, confidence: float, model: str, own: bool, clean: float, *filters: Any
) -> ViewRequest:
    """What the controls say; `filters` are those of `_FILTERS`."""
    view = ViewFilters(clean=int(clean), **dict(zip(_FILTERS, filters, strict=True)))
    sure = float(confidence) if SAMPLERS[sampler].has_detector else None
    request = Request(sampler, max_prompts=int(prompts), confidence=sure, view=view)
    return ViewRequest(request, model=model, own_filters=own)


def _filter(low: float, high: float, start: float, step: float, label: str, info: str, elem_id: str) -> gr.Slider:
    return gr.Slider(low, high, start, step=step, label=label, info=info, buttons=[], elem_id=elem_id, min_width=160)


def _effort_js(efforts: dict[str, tuple[str, int, float]]) -> str:
    """JavaScript that sets sampler, prompts and confidence from the dial."""
    table = {name: list(values) for name, values in efforts.items()}
    return f"(effort) => ({json.dumps(table)})[effort]"


def _named_effort_js(efforts: dict[str, tuple[str, int, float]]) -> str:
    """JavaScript that sets the dial to what sampler, prompts and confidence are, or to nothing.

    Not while it is the dial that is turned: they follow it then, and may be one turn behind.
    """
    table = {",".join(map(str, values)): name for name, values in efforts.items()}
    same = json.dumps(gr.skip())
    turned = 'document.activeElement?.closest("#effort")'
    return f"(...dials) => {turned} ? {same} : ({json.dumps(table)})[dials.join()] ?? null"
