"""Hierarchical search (TinySAM, arXiv 2312.13789): a coarse grid first, then only what its masks leave open."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_POINTS_PER_SIDE
from ..types import Masks, Picture, Prompts
from .grid import SAM_FILTERS, coarser_grid, grid_prompts
from .pixels import pixels_of

COARSER = 4
"""The coarse grid has a quarter of the points per side, as published."""


@dataclass(frozen=True)
class HierarchicalSampler:
    """The points of a grid in two rounds: a coarse part of it, then the points that no confident mask covers.

    A mask is confident if it passes the thresholds of `filters`. Where none does, all points of the grid are asked.

    Args:
        points_per_side: points along each side of the picture; prompts are its square at most.
        multimask: ask for three masks per point, as a point alone is ambiguous.
        filters: what throws away the many duplicates and failures this gives.
    """

    points_per_side: int = DEFAULT_POINTS_PER_SIDE
    multimask: bool = True
    filters: MaskFilters = field(default_factory=lambda: SAM_FILTERS)
    name: str = "hierarchical"

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise PromptError(f"A grid needs at least 1 point per side; got {self.points_per_side}.")

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the coarse part of the grid, then what is left to ask, if anything is."""
        side = self.points_per_side
        size_hw = (picture.shape[0], picture.shape[1])
        grid = grid_prompts(size_hw, points_per_side=side, multimask=self.multimask)
        coarse = coarser_grid(side, coarse=-(-side // COARSER))
        masks = yield grid[coarse]
        is_open = ~masks.union()[pixels_of(grid, size_hw)]
        is_open[coarse] = False
        if is_open.any():
            yield grid[np.flatnonzero(is_open)]
