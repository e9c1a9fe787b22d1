"""`/predict_mask` for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...progress import run_to_end
from ...render import fit_within, overlay
from .. import prompting
from ..jobs import Job
from ..prompt_lists import Limits, read_prompts
from ..settings import EMBEDDED_MODEL
from .page import Page
from .parts import png


def predict_mask(page: Page) -> Callable[..., tuple[str, dict[str, Any]]]:
    """The function of `/predict_mask`: masks for points and boxes."""
    settings = page.settings
    limits = Limits(objects=settings.prompts.high, points=settings.most_points)

    def predict_mask(
        photo: str,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        multimask: bool = False,
        model: str = EMBEDDED_MODEL,
    ) -> tuple[str, dict[str, Any]]:
        job = Job.alone(page.sessions.new())
        objects = read_prompts(points, labels, boxes, multimask=multimask, limits=limits)
        picture = prompting.picture_of(job, photo, objects)
        found = run_to_end(prompting.predict(job, picture, objects, model, run=page.run))
        assert found is not None  # nothing stops a program's job
        drawn = overlay(fit_within(picture.picture, settings.display_side), found.chosen(found.best))
        return png(drawn, "overlay"), found.to_record()

    return predict_mask
