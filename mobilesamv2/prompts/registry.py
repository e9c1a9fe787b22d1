"""Makes the sampler that a request names."""

from __future__ import annotations

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_CONFIDENCE, Request
from .box_centres import BoxCentresSampler
from .coverage import CoverageSampler, coverage_filters
from .grid import GridSampler
from .hierarchical import HierarchicalSampler
from .object_aware import Detector, ObjectAwareSampler
from .sampler import Sampler


def make_sampler(request: Request, *, detector: Detector | None, grid_filters: MaskFilters, model_name: str) -> Sampler:
    """The sampler that a request names, with its options.

    Args:
        request: what is asked.
        detector: finds objects for samplers that ask about them; None: there is none.
        grid_filters: of masks of points on this model.
        model_name: what people call the model that has this detector or none.

    Raises:
        PromptError: if the sampler needs a detector and there is none.
    """
    limit, multimask, own = request.limit, request.is_multimask, request.mask_filters
    if not request.kind.has_detector:
        of_points = GridSampler if request.sampler == "grid" else HierarchicalSampler
        return of_points(limit, multimask, own or grid_filters)
    if detector is None:
        raise PromptError(f"{model_name} was built without a detector; use grid search, or give it one.")
    asked = request.detector_confidence
    confidence = DEFAULT_CONFIDENCE if asked is None else asked
    if request.sampler == "object-aware":
        return ObjectAwareSampler(detector, limit, confidence, filters=own or MaskFilters())
    if request.sampler == "box-centres":
        return BoxCentresSampler(detector, limit, confidence, multimask=multimask, filters=own or grid_filters)
    return CoverageSampler(
        detector, limit, confidence, multimask=multimask, filters=own or coverage_filters(grid_filters)
    )
