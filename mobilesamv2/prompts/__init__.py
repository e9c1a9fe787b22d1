"""Samplers decide what the mask decoder is asked: points of a grid, boxes of objects, or both, in one round or more."""

from ..filters import MaskFilters
from ..sampler_kinds import SAMPLERS
from .box_centres import BoxCentresSampler
from .coverage import CoverageSampler
from .grid import GridSampler, grid_prompts
from .hierarchical import HierarchicalSampler
from .object_aware import ObjectAwareSampler
from .registry import make_sampler
from .sampler import Sampler

__all__ = [
    "SAMPLERS",
    "BoxCentresSampler",
    "CoverageSampler",
    "GridSampler",
    "HierarchicalSampler",
    "MaskFilters",
    "ObjectAwareSampler",
    "Sampler",
    "grid_prompts",
    "make_sampler",
]
