"""`/predict_mask` for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import asking, prompting
from ..prompting import Limits
from ..settings import EMBEDDED_MODEL
from ..steps import last
from ..visits import Visit
from .page import Page
from .parts import png


def predict_mask(page: Page) -> Callable[..., tuple[str, dict[str, Any]]]:
    """The function of `/predict_mask`: masks for points and boxes."""
    settings = page.settings
    run = page.on_model(prompting.run_predict, prompts=prompting.prompts_of_predict)
    limits = Limits(objects=settings.prompts.high, points=settings.most_points)

    def predict(
        photo: str,
        points: Any = None,
        labels: Any = None,
        boxes: Any = None,
        multimask: bool = False,
        model: str = EMBEDDED_MODEL,
    ) -> tuple[str, dict[str, Any]]:
        """Masks for points and boxes on a photo."""
        asked = asking.asked_from(points, labels, boxes, limits=limits)
        items = asking.predict(
            Visit(), photo, asked, multimask, model, run=run, display_side=settings.display_side
        )
        view = last(items)
        return png(view.overlay, "overlay"), view.record

    return predict
