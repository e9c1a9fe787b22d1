"""A sampler by its name and its options, as people choose it."""

from __future__ import annotations

import math

from ..errors import PromptError, UnknownModelError
from .grid import GridSampler
from .object_aware import MAX_PROMPTS, Detector, ObjectAwareSampler
from .sampler import MaskFilters, Sampler

SAMPLERS = ("object-aware", "grid")


def chosen_sampler(
    sampler: str | Sampler,
    *,
    max_prompts: int | None,
    points_per_side: int | None,
    grid_filters: MaskFilters,
    detector: Detector | None,
    model: str,
) -> Sampler:
    """The sampler of that name, with its options; a sampler of one's own brings its own.

    Args:
        sampler: one of `SAMPLERS`, or a sampler.
        max_prompts: at most so many prompts. Object-aware: 320 where not given. Grid: the largest square grid that
            fits.
        points_per_side: of the grid, 32 where not given; grid search only.
        grid_filters: of grid search on this model.
        detector: finds objects for object-aware sampling; None: there is none.
        model: what people call the model that has this detector or none.

    Raises:
        UnknownModelError: if there is no sampler of that name.
        PromptError: if an option does not belong to the sampler or is out of range.
    """
    if not isinstance(sampler, str):
        if max_prompts is not None or points_per_side is not None:
            raise PromptError(
                "A sampler object brings its own options; leave max_prompts and points_per_side out."
            )
        return sampler
    if max_prompts is not None and max_prompts < 1:
        raise PromptError(f"max_prompts must be at least 1; got {max_prompts}.")
    if sampler == "grid":
        side = 32 if points_per_side is None else points_per_side
        if max_prompts is not None:
            side = min(side, math.isqrt(max_prompts))
        return GridSampler(points_per_side=side, filters=grid_filters)
    if sampler == "object-aware":
        if points_per_side is not None:
            raise PromptError(
                "points_per_side belongs to grid search; object-aware sampling takes max_prompts."
            )
        if detector is None:
            raise PromptError(f"{model} was built without a detector; use grid search, or give it one.")
        return ObjectAwareSampler(detector=detector, max_prompts=max_prompts or MAX_PROMPTS)
    raise UnknownModelError(f"There is no sampler {sampler!r}. Known: {', '.join(SAMPLERS)}.")
