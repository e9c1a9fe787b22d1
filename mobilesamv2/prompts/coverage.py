"""Coverage sampling: boxes of objects first, then points where no mask is, until enough of the picture is covered.

Object-aware sampling asks about nothing that the detector overlooks: background, regions, large objects, on which
MobileSAMv2's own table has the grid ahead (arXiv 2312.09579). Points are spent where that leaves the picture open.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_CONFIDENCE, DEFAULT_MAX_PROMPTS, DEFAULT_POINTS_PER_SIDE
from ..types import Masks, Picture, Prompts
from .grid import SAM_FILTERS, grid_prompts
from .object_aware import Detector, ObjectAwareSampler
from .pixels import pixels_of

TARGET = 0.95
"""Share of the picture at which it counts as covered: what is left then is mostly seams between masks."""
COARSEST = 4
"""Points per side of the first grid; each further one has twice as many, the last those of grid search."""


def coverage_filters(grid_filters: MaskFilters) -> MaskFilters:
    """What coverage sampling keeps, from the filters of grid search on the same model.

    Every mask of a box stays, as in object-aware sampling. Masks of points pass the thresholds and repeat no other.
    They are compared by their pixels, as many backgrounds have the box of the whole picture.
    """
    return replace(grid_filters, box_nms=None, mask_nms=grid_filters.box_nms, points_only=True)


@dataclass(frozen=True)
class CoverageSampler:
    """Object-aware sampling, and then points where no mask is yet, of coarse grids first.

    All points are ranked below all boxes: their score is that of the least sure box.

    Args:
        detector, confidence, iou: of the boxes, as `ObjectAwareSampler` takes them.
        max_prompts: at most so many boxes and points together.
        target: share of the picture, 0 to 1, at which no more points are asked.
        multimask: ask for three masks per point; a box has one.
        filters: masks that pass their thresholds count as covering the picture.
    """

    detector: Detector
    max_prompts: int = DEFAULT_MAX_PROMPTS
    confidence: float = DEFAULT_CONFIDENCE
    iou: float | None = None
    target: float = TARGET
    multimask: bool = True
    filters: MaskFilters = field(default_factory=lambda: coverage_filters(SAM_FILTERS))
    name: str = "coverage"

    def __post_init__(self) -> None:
        if not 0 <= self.target <= 1:
            raise PromptError(f"The target must be a share of the picture, 0 to 1; got {self.target}.")

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the boxes, then the points of each grid that lie in no mask, those farthest from all masks first.

        A smaller `max_prompts` yields the first of the same prompts.
        """
        size_hw = (picture.shape[0], picture.shape[1])
        objects = ObjectAwareSampler(self.detector, self.max_prompts, self.confidence, self.iou)
        boxes = objects.boxes(picture)
        least = 1.0 if boxes.scores is None else boxes.scores.min(initial=1.0)
        left = self.max_prompts - len(boxes)
        covered = (yield boxes).union()
        side = COARSEST
        while side <= DEFAULT_POINTS_PER_SIDE and left > 0 and covered.mean() < self.target:
            grid = grid_prompts(size_hw, points_per_side=side, multimask=self.multimask)
            depth = cv2.distanceTransform((~covered).view(np.uint8), cv2.DIST_L2, 3)[pixels_of(grid, size_hw)]
            deepest = np.argsort(-depth, kind="stable")[: min(left, np.count_nonzero(depth))]
            if len(deepest):
                scores = np.full(len(deepest), least, dtype=np.float32)
                covered |= (yield replace(grid[deepest], scores=scores)).union()
                left -= len(deepest)
            side *= 2
