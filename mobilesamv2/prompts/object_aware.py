"""Object-aware sampling (arXiv 2312.09579): ask a detector where objects are, then ask for one mask per box."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import PromptError
from ..filters import MaskFilters
from ..request import DEFAULT_CONFIDENCE, DEFAULT_MAX_PROMPTS
from ..types import Floats, Masks, Picture, Prompts


class Boxes(Protocol):
    """What a detector found: boxes_xyxy float32 (N, 4) in original pixels and scores float32 (N,), best first."""

    @property
    def boxes_xyxy(self) -> Floats: ...

    @property
    def scores(self) -> Floats: ...


class Detector(Protocol):
    """Anything that finds boxes of objects."""

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Boxes:
        """Find at most `max_boxes` boxes above `confidence`, none overlapping another by more than `iou`.

        None leaves that to the detector.
        """
        ...


@dataclass(frozen=True)
class ObjectAwareSampler:
    """One box prompt for each object a detector finds, one mask for each box, and no filter after it.

    Args:
        detector: finds the boxes.
        max_prompts: at most so many boxes, the most confident ones.
        confidence: boxes above it are asked about.
        iou: of two boxes that overlap by more, the better is asked about. None: as suits the detector, which is .9 in
            MobileSAMv2's released code.
        filters: none, as in the paper.
    """

    detector: Detector
    max_prompts: int = DEFAULT_MAX_PROMPTS
    confidence: float = DEFAULT_CONFIDENCE
    iou: float | None = None
    filters: MaskFilters = field(default_factory=MaskFilters)
    name: str = "object-aware"

    def __post_init__(self) -> None:
        if self.max_prompts < 1:
            raise PromptError(f"max_prompts must be at least 1; got {self.max_prompts}.")

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the boxes of all objects found, once; none is a round of no prompts."""
        yield self.boxes(picture)

    def boxes(self, picture: Picture) -> Prompts:
        """A box for each object found, the surest first."""
        found = self.detector.detect(picture, confidence=self.confidence, iou=self.iou, max_boxes=self.max_prompts)
        return Prompts(boxes_xyxy=found.boxes_xyxy, scores=found.scores)
