"""Points in the middle of the detector's boxes: the paper's ablation of boxes as prompts (arXiv 2312.09579)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field

import numpy as np

from ..filters import MaskFilters
from ..request import DEFAULT_CONFIDENCE, DEFAULT_MAX_PROMPTS
from ..types import Masks, Picture, Prompts
from .grid import SAM_FILTERS
from .object_aware import Detector, ObjectAwareSampler


@dataclass(frozen=True)
class BoxCentresSampler:
    """One point for each object a detector finds, at the centre of its box.

    A centre may lie beside the object, and a point may mean a thing or a part of it: that is why the paper asks about
    boxes.

    Args:
        detector, max_prompts, confidence, iou: of the boxes, as `ObjectAwareSampler` takes them.
        multimask: ask for three masks per point.
        filters: as for a grid, since points need them.
    """

    detector: Detector
    max_prompts: int = DEFAULT_MAX_PROMPTS
    confidence: float = DEFAULT_CONFIDENCE
    iou: float | None = None
    multimask: bool = True
    filters: MaskFilters = field(default_factory=lambda: SAM_FILTERS)
    name: str = "box-centres"

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the centres of the boxes of all objects found, once, the surest first."""
        objects = ObjectAwareSampler(self.detector, self.max_prompts, self.confidence, self.iou)
        boxes = objects.boxes(picture)
        assert boxes.boxes_xyxy is not None
        centres = boxes.boxes_xyxy.reshape(-1, 2, 2).mean(axis=1, keepdims=True)
        yield Prompts(
            points=centres,
            labels=np.ones(centres.shape[:2], dtype=np.int64),
            scores=boxes.scores,
            multimask=self.multimask,
        )
