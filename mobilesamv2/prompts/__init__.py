"""Samplers decide what the mask decoder is asked: a regular grid of points, or a box around each object."""

from ..filters import MaskFilters
from ..request import SAMPLERS
from .grid import GridSampler, grid_prompts
from .object_aware import ObjectAwareSampler
from .registry import make_sampler
from .sampler import Sampler

__all__ = [
    "SAMPLERS",
    "GridSampler",
    "MaskFilters",
    "ObjectAwareSampler",
    "Sampler",
    "grid_prompts",
    "make_sampler",
]
