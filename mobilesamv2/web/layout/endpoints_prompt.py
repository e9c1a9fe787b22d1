"""`/predict_mask` for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ...progress import run_to_end
from ...render import fit_within, overlay
from .. import prompting
from ..jobs import Job
from ..prompt_lists import Limits, read_prompts
from ..settings import EMBEDDED_MODEL
from ..text import programs as text
from .endpoint_inputs import list_input
from .page import Page
from .parts import png
from .wiring import endpoint


def add_predict_mask(page: Page, photo: gr.Image, model: gr.Dropdown) -> None:
    """Offer `/predict_mask`: masks for points and boxes.

    Args:
        photo, model: of the endpoints, not of the page.
    """
    settings = page.settings
    run = page.on_model(prompting.run_predict, prompts=prompting.count_prompts)
    limits = Limits(objects=settings.prompts.high, points=settings.most_points)

    def predict_mask(
        photo: str,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        multimask: bool = False,
        model: str = EMBEDDED_MODEL,
    ) -> tuple[str, dict[str, Any]]:
        """Masks for points and boxes on a photo.

        Args:
            photo: the photo, any size up to 120 megapixels.
            points: [[x, y], ...] in pixels of the photo for one object, or a list of such lists for several objects.
            labels: 1 for a point on the object, 0 for one beside it, in lists like those of points; all 1 if left out.
            boxes: [x0, y0, x1, y1] in pixels of the photo for one object, or a list of boxes for several.
            multimask: true gives three masks for each object, for a single point that may mean a thing or a part.
            model: name of the model.
        """
        job = Job.alone()
        objects = read_prompts(points, labels, boxes, multimask=multimask, limits=limits)
        picture = prompting.picture_of(job.session, photo, objects)
        found = run_to_end(prompting.predict(job, picture, objects, model, run=run))
        assert found is not None  # nothing stops a program's job
        drawn = overlay(fit_within(picture, settings.display_side), found.chosen(found.best))
        return png(drawn, "overlay"), found.to_record()

    inputs = [
        photo,
        list_input("points", of_lists=True),
        *(list_input(name, of_lists=False) for name in ("labels", "boxes")),
        gr.Checkbox(label="multimask", value=False),
        model,
    ]
    outputs = [gr.Image(label="overlay", format="png"), gr.JSON(label="record")]
    endpoint(predict_mask, inputs, outputs, name="predict_mask", description=text.PREDICT_API)
