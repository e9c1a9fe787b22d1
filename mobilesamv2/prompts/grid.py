"""Grid search, as SAM's automatic mask generator does it: points everywhere, three masks each, then filters."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_POINTS_PER_SIDE
from ..types import Ints, Masks, Picture, Prompts

SAM_FILTERS = MaskFilters(predicted_iou=0.88, stability=0.95, stability_offset=1.0, box_nms=0.7)
"""The defaults of SAM's automatic mask generator (arXiv 2304.02643, appendix B, and its released code)."""


@dataclass(frozen=True)
class GridSampler:
    """One point at each cell of a regular grid, three masks for each point.

    Args:
        points_per_side: points along each side of the picture; prompts are its square.
        multimask: ask for three masks per point, as a point alone is ambiguous.
        filters: what throws away the many duplicates and failures this gives.
    """

    points_per_side: int = DEFAULT_POINTS_PER_SIDE
    multimask: bool = True
    filters: MaskFilters = field(default_factory=lambda: SAM_FILTERS)
    name: str = "grid"

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise PromptError(f"A grid needs at least 1 point per side; got {self.points_per_side}.")

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the whole grid once."""
        yield grid_prompts(
            (picture.shape[0], picture.shape[1]),
            points_per_side=self.points_per_side,
            multimask=self.multimask,
        )


def grid_prompts(
    size_hw: tuple[int, int], *, points_per_side: int = DEFAULT_POINTS_PER_SIDE, multimask: bool = True
) -> Prompts:
    """Place `points_per_side`² points at the cell centres of a regular grid.

    Returns:
        Point prompts in original pixels, row by row from the top left.

    Raises:
        PromptError: if `points_per_side` < 1.
    """
    if points_per_side < 1:
        raise PromptError(f"A grid needs at least 1 point per side; got {points_per_side}.")
    height, width = size_hw
    steps = (np.arange(points_per_side) + 0.5) / points_per_side
    x, y = np.meshgrid(steps * width, steps * height)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2).astype(np.float32)
    return Prompts(points=points, labels=np.ones(points.shape[:2], dtype=np.int64), multimask=multimask)


def coarser_grid(points_per_side: int, *, coarse: int) -> Ints:
    """Which points of a grid lie closest to the points of a coarser one, row by row: int64 (coarse²,).

    Args:
        points_per_side: of the grid.
        coarse: points per side of the coarser one, at most as many. They may be a little irregular.
    """
    steps = ((np.arange(coarse) + 0.5) * points_per_side / coarse).astype(np.int64)
    return np.asarray((steps[:, None] * points_per_side + steps[None, :]).reshape(-1))
