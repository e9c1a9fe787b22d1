"""The page for programs: one table of named endpoints. No visitor is known here: nothing is kept between calls."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from ...comparison.budget import USUAL_SAMPLERS
from ...export import FORMATS, chosen_formats
from ...filters import ViewFilters
from ...progress import run_to_end
from ...render import fit_within, label_colours, overlay
from ...request import Request
from ...sampler_kinds import SAMPLERS, chosen_samplers
from ...types import Picture
from .. import batching, budgeting, comparing, exporting, prompting
from ..jobs import Job
from ..menus import OWN_BY_NAME, joined
from ..metrics import Metrics
from ..prompt_lists import Limits, read_prompts
from ..runs import Asked, Everything
from ..settings import EMBEDDED_MODEL, Range
from ..steps import last
from ..text import programs as text
from ..text.everything import run_hint
from ..uploads import name_of, renamed
from . import inputs
from .export_panel import new_folder
from .page import Page
from .parts import files_input, photo_input, png
from .sentences import sentences
from .wiring import BATCH_LANE, PROGRAM_LANE

Record = dict[str, Any]
_USUAL = ",".join(USUAL_SAMPLERS)


def add_endpoints(page: Page) -> None:
    """Offer `/segment`, `/compare`, `/budget`, `/predict_mask`, `/export` and `/batch` to programs."""
    programs, offered = _Programs(page), page.settings.prompts
    with gr.Row(visible=False):
        photos = files_input("photos")
        photos.data_model = inputs.Photos
        components: dict[str, Component] = {
            "photo": photo_input(elem_id=None),
            "photos": photos,
            "name": gr.Textbox("", label="name"),
            "names": inputs.list_of("names"),
            "formats": inputs.names("formats", list(FORMATS)),
            "sampler": gr.Dropdown(list(SAMPLERS), value="object-aware", label="sampler"),
            "max_prompts": inputs.whole_number("max_prompts", offered),
            "points_per_side": inputs.whole_number("points_per_side", page.settings.grid_sides),
            "confidence": gr.Number(None, minimum=0, maximum=1, label="confidence"),
            "predicted_iou": gr.Number(0.0, minimum=0, maximum=1, label="predicted_iou"),
            "stability": gr.Number(0.0, minimum=0, maximum=1, label="stability"),
            "min_area": gr.Number(0.0, minimum=0, maximum=100, label="min_area"),
            "mask_nms": gr.Number(1.0, minimum=0, maximum=1, label="mask_nms"),
            "hide_nested": gr.Checkbox(label="hide_nested"),
            "flatten": gr.Checkbox(label="flatten"),
            "clean": inputs.whole_number("clean", Range(0, page.settings.most_clean, 0, 1)),
            "largest": inputs.whole_number("largest", Range(offered.low, offered.high, offered.high, 1)),
            "samplers": inputs.names("samplers", list(SAMPLERS), first=USUAL_SAMPLERS),
            "left": gr.Textbox("grid", label="left"),
            "right": gr.Textbox("object-aware", label="right"),
            "draw_prompts": gr.Checkbox(label="draw_prompts"),
            "points": inputs.list_of("points", lists=True),
            "labels": inputs.list_of("labels"),
            "boxes": inputs.list_of("boxes"),
            "multimask": gr.Checkbox(label="multimask"),
            "model": gr.Dropdown(list(page.models.names), value=page.models.first, label="model"),
            "detector": gr.Dropdown([OWN_BY_NAME, *page.models.detectors], value=OWN_BY_NAME, label="detector"),
        }
        offer = partial(_offer, components, page.metrics)
        offer(programs.segment, [_image("overlay"), _json("summary")])
        offer(programs.compare, [_image("left"), _image("right"), _json("summary")])
        offer(programs.budget, [_json("summary")])
        offer(programs.predict_mask, [_image("overlay"), _json("record")])
        offer(programs.export, [gr.File(label="file"), _json("record")])
        offer(programs.batch, [gr.File(label="file"), _json("summary")], lane=BATCH_LANE)


def _offer(
    inputs: Mapping[str, Component],
    metrics: Metrics,
    function: Callable[..., Any],
    outputs: list[Component],
    lane: str = PROGRAM_LANE,
) -> None:
    """Let programs call a function; no button starts it. What it is for is in `text.programs`.

    Args:
        inputs: all there are, by their names.
        function: its name is that of the endpoint, and of the tool for programs that speak MCP. Each parameter is an
            input of that name, its default is what holds where it is left out.
        lane: calls of one lane are answered one at a time.
    """
    name = function.__name__
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        with metrics.request(name), sentences():
            return function(*arguments)

    # Programs that speak MCP read it.
    told.__doc__ = "\n".join([text.ENDPOINTS[name], "Args:", *(f"{each}: {text.INPUTS[each]}" for each in names)])
    gr.on(
        [],
        told,
        [inputs[each] for each in names],
        outputs,
        api_name=name,
        api_description=text.ENDPOINTS[name],
        concurrency_id=lane,
        concurrency_limit=1,
    )


def _image(label: str) -> gr.Image:
    return gr.Image(label=label, format="png")


def _json(label: str) -> gr.JSON:
    return gr.JSON(label=label)


class _Programs:
    """What the endpoints do. What their inputs mean is in `text.programs`."""

    def __init__(self, page: Page) -> None:
        self.settings, self.new_session = page.settings, page.sessions.new
        self.run = page.run
        self.limits = Limits(objects=self.settings.prompts.high, points=self.settings.most_points)

    def segment(
        self,
        photo: str,
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
        confidence: float | None = None,
        predicted_iou: float = 0.0,
        stability: float = 0.0,
        min_area: float = 0.0,
        mask_nms: float = 1.0,
        hide_nested: bool = False,
        flatten: bool = False,
        clean: int = 0,
    ) -> tuple[str, Record]:
        """Segment everything in a photo: the overlay and the record of the run."""
        view = ViewFilters(
            clean=clean,
            min_area_percent=min_area,
            min_predicted_iou=predicted_iou,
            min_stability=stability,
            mask_nms=mask_nms,
            hide_nested=hide_nested,
            flatten=flatten,
        )
        request = Request(sampler, max_prompts=max_prompts, confidence=confidence, view=view)
        picture, result = self._run(photo, Everything(request), joined(model, detector))
        hint = run_hint(sampler, prompts=len(result.prompts), masks=len(result.masks))
        drawn = overlay(self._small(picture), result.masks)
        return png(drawn, "overlay"), result.to_record() | {"hint": hint}

    def compare(
        self,
        photo: str,
        max_prompts: int = 320,
        points_per_side: int = 32,
        model: str = EMBEDDED_MODEL,
        draw_prompts: bool = False,
        left: str = "grid",
        right: str = "object-aware",
        detector: str = OWN_BY_NAME,
    ) -> tuple[str, str, Record]:
        """Run two samplers on one encoding of a photo: both overlays and the numbers of both."""
        numbers = {"max_prompts": max_prompts, "points_per_side": points_per_side}
        most = self.settings.prompts.high
        sides = (comparing.request_of(side, **numbers, most=most) for side in (left, right))
        asked = comparing.CompareRequest(*sides)
        picture, found = self._run(photo, asked, joined(model, detector))
        drawn = comparing.overlays(self._small(picture), found, with_prompts=draw_prompts)
        names = (name.replace(":", "-").replace(" ", "-") for name in found.names)
        one, other = (png(picture, name) for picture, name in zip(drawn, names, strict=True))
        return one, other, comparing.summary_of(found)

    def budget(
        self,
        photo: str,
        largest: int = 1024,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
        samplers: list[str] | str = _USUAL,
    ) -> Record:
        """Measure what more prompts bring on a photo."""
        asked = budgeting.BudgetRequest(largest, chosen_samplers(samplers))
        _, found = self._run(photo, asked, joined(model, detector))
        return budgeting.summary_of(found)

    def predict_mask(
        self,
        photo: str,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        multimask: bool = False,
        model: str = EMBEDDED_MODEL,
    ) -> tuple[str, Record]:
        """Masks for points and boxes: the overlay and their record."""
        job = Job.alone(self.new_session())
        objects = read_prompts(points, labels, boxes, multimask=multimask, limits=self.limits)
        picture = prompting.picture_of(job, photo, objects)
        found = run_to_end(prompting.predict(job, picture, objects, model, run=self.run))
        assert found is not None  # nothing stops a program's job
        return png(overlay(self._small(picture.picture), found.chosen(found.best)), "overlay"), found.to_record()

    def export(
        self,
        photo: str,
        formats: list[str] | str = "all",
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
        name: str = "",
    ) -> tuple[str, Record]:
        """Segment everything in a photo and write the masks: the file and the record of the run."""
        chosen = chosen_formats(formats)
        request = Request(sampler, max_prompts=max_prompts)
        picture, result = self._run(photo, Everything(request), joined(model, detector))
        record = result.to_record()
        item = exporting.ExportItem(
            picture=picture,
            masks=result.masks,
            file_name=name_of(*renamed([photo], [name])),
            colours=label_colours(len(result.masks)),
            info=record,
        )
        return str(last(exporting.pack(item, chosen, new_folder()))), record

    def batch(
        self,
        photos: list[str],
        formats: list[str] | str = "all",
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
        names: list[str] | None = None,
    ) -> tuple[str, Record]:
        """Segment everything in several photos: one ZIP, and what was done and what failed."""
        chosen = chosen_formats(formats)
        batching.check_number(photos, most=self.settings.most_photos)
        archive, request = new_folder() / "masks.zip", Request(sampler, max_prompts=max_prompts)
        choice, side = joined(model, detector), self.settings.thumbnail_side
        items = batching.batch(
            Job.alone(self.new_session()),
            renamed(photos, names),
            request,
            choice,
            chosen,
            archive,
            run=self.run,
            thumbnail_side=side,
        )
        return str(archive), last(items)

    def _small(self, picture: Picture) -> Picture:
        return fit_within(picture, self.settings.display_side)

    def _run(self, photo: str, asked: Asked, model: str) -> tuple[Picture, Any]:
        """A photo, and the last that a run on it gives."""
        job = Job.alone(self.new_session())
        picture = job.read(photo)
        return picture.picture, last(job.follow(self.run, picture, asked, model))
