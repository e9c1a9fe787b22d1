"""The one place from the name of a sampler to the sampler."""

from __future__ import annotations

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_CONFIDENCE, Request
from .grid import GridSampler
from .object_aware import Detector, ObjectAwareSampler
from .sampler import Sampler


def make_sampler(
    request: Request, *, detector: Detector | None, grid_filters: MaskFilters, model_name: str
) -> Sampler:
    """The sampler that a request names, with its options.

    Args:
        request: what is asked.
        detector: finds objects for object-aware sampling; None: there is none.
        grid_filters: of grid search on this model.
        model_name: what people call the model that has this detector or none.

    Raises:
        PromptError: if the sampler needs a detector and there is none.
    """
    if request.is_grid:
        return GridSampler(points_per_side=request.limit, filters=request.mask_filters or grid_filters)
    if detector is None:
        raise PromptError(f"{model_name} was built without a detector; use grid search, or give it one.")
    confidence = request.detector_confidence
    return ObjectAwareSampler(
        detector=detector,
        max_prompts=request.limit,
        confidence=DEFAULT_CONFIDENCE if confidence is None else confidence,
        filters=request.mask_filters or MaskFilters(),
    )
