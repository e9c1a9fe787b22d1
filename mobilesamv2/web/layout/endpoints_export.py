"""`/export` and `/batch` for programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ...export import FORMATS
from .. import batching, exporting, segmenting
from ..menus import OWN_BY_NAME, joined
from ..settings import EMBEDDED_MODEL
from ..steps import last
from ..text import programs as text
from ..visits import Visit
from .export_panel import new_folder
from .page import Page
from .parts import files_input
from .wiring import BATCH_LANE, MODEL_LANE, endpoint


def add_export(
    page: Page,
    photo: gr.Image,
    sampler: gr.Radio,
    max_prompts: gr.Slider,
    model: gr.Dropdown,
    detector: gr.Dropdown,
) -> None:
    """Offer `/export` and `/batch`: masks as files.

    Args:
        photo, sampler, max_prompts, model, detector: of the endpoints, not of the page.
    """
    settings = page.settings
    run = page.on_model(segmenting.run_segment, prompts=segmenting.prompts_of_segment)

    def export(
        photo: str,
        formats: list[str] | str = "all",
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
    ) -> tuple[str, dict[str, Any]]:
        """Segment everything in a photo and get the masks as files.

        Args:
            photo: the photo, any size up to 120 megapixels.
            formats: names out of coco, label-map, masks, cutouts, overlay, as a list or with commas between them.
            sampler: object-aware asks about boxes around objects, grid about points at regular distances.
            max_prompts: at most so many boxes, or the largest square of points that fits.
            model: name of the model.
            detector: name of what proposes the boxes; own is the one that the model is usually used with.
        """
        chosen = exporting.formats_of(formats)
        path, record = Path(), {}
        for item in exporting.export(
            Visit(), photo, sampler, max_prompts, joined(model, detector), chosen, new_folder(), run=run
        ):
            if isinstance(item, Path):
                path = item
            elif isinstance(item, dict):
                record = item
        return str(path), record

    def batch(
        photos: list[str],
        formats: list[str] | str = "all",
        sampler: str = "object-aware",
        max_prompts: int = 320,
        model: str = EMBEDDED_MODEL,
        detector: str = OWN_BY_NAME,
    ) -> tuple[str, dict[str, Any]]:
        """Segment everything in several photos and get all masks in one ZIP.

        Args:
            photos: the photos, a list of files.
            formats: names out of coco, label-map, masks, cutouts, overlay, as a list or with commas between them.
            sampler: object-aware asks about boxes around objects, grid about points at regular distances.
            max_prompts: at most so many boxes for each photo, or the largest square of points that fits.
            model: name of the model.
            detector: name of what proposes the boxes; own is the one that the model is usually used with.
        """
        chosen = exporting.formats_of(formats)
        batching.check_number(photos, most=settings.most_photos)
        archive = new_folder() / "masks.zip"
        items = batching.batch(
            photos,
            sampler,
            max_prompts,
            joined(model, detector),
            chosen,
            archive,
            run=run,
            thumbnail_side=settings.thumbnail_side,
        )
        return str(archive), last(items).summary

    formats = gr.CheckboxGroup(label="formats", choices=list(FORMATS), value=list(FORMATS))
    others = [formats, sampler, max_prompts, model, detector]
    for function, given, name, description, lane in (
        (export, photo, "export", text.EXPORT_API, MODEL_LANE),
        (batch, files_input("photos"), "batch", text.BATCH_API, BATCH_LANE),
    ):
        outputs = [gr.File(label="file"), gr.JSON(label="record" if function is export else "summary")]
        endpoint(function, [given, *others], outputs, name=name, description=description, lane=lane)
