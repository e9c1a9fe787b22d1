"""Samplers decide what the mask decoder is asked: a regular grid of points, or a box around each object."""

from .grid import GridSampler, grid_prompts
from .object_aware import ObjectAwareSampler
from .sampler import MaskFilters, Sampler

__all__ = ["GridSampler", "MaskFilters", "ObjectAwareSampler", "Sampler", "grid_prompts"]
