"""Request: what one run is asked for, validated once, with the same error messages everywhere."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

from .errors import PromptError, UnknownModelError
from .filters import SHOW_ALL, MaskFilters, ViewFilters
from .sampler_kinds import SAMPLERS, SamplerKind

DEFAULT_MAX_PROMPTS = 320
"""The budget of MobileSAMv2: more boxes gain no recall on LVIS (arXiv 2312.09579, its table of 384, 320, 256 boxes)."""
DEFAULT_POINTS_PER_SIDE = 32
"""The grid of SAM's automatic mask generator."""
DEFAULT_CONFIDENCE = 0.4
"""Of the detector, from MobileSAMv2's released code; the paper does not state it."""
MOST_PROMPTS = 1_000_000
"""Of one run: as many as a model sees pixels of a photograph, and no more than memory holds."""
_DIGITS = 9
"""Of a number in a request's text: Python reads thousands of them slowly or not at all."""
_SINGLE = "single"
"""In a request's text: one mask of each point."""


@dataclass(frozen=True)
class Request:
    """What is asked of one run.

    Args:
        sampler: one of `SAMPLERS`.
        max_prompts: at most so many prompts, 320 where not given; of a grid, whose number `points_per_side` sets, the
            largest square that fits.
        points_per_side: of a grid, 32 where not given; its square is asked, or less by hierarchical search.
        confidence: how sure the detector must be of a box, 0 to 1, 0.4 where not given; a grid has no detector.
        multimask: whether three masks are asked of each point, which is the default, or one. A box has always one.
        mask_filters: instead of those that suit the sampler and the model.
        view: what is left out of the finished result.

    Raises:
        UnknownModelError: if there is no such sampler.
        PromptError: if an option does not belong to the sampler or is out of range.
    """

    sampler: str = "object-aware"
    max_prompts: int | None = None
    points_per_side: int | None = None
    confidence: float | None = None
    multimask: bool | None = None
    mask_filters: MaskFilters | None = None
    view: ViewFilters = SHOW_ALL

    def __post_init__(self) -> None:
        if self.sampler not in tuple(SAMPLERS):  # what comes from JSON may have no hash
            raise UnknownModelError(f"There is no sampler {self.sampler!r}. Known: {', '.join(SAMPLERS)}.")
        kind = self.kind
        if not kind.is_square and self.points_per_side is not None:
            grids = " and ".join(each.phrase for each in SAMPLERS.values() if each.is_square)
            raise PromptError(f"points_per_side belongs to {grids}; {kind.phrase} takes max_prompts.")
        if not kind.has_detector and self.confidence is not None:
            raise PromptError(f"confidence is that of a detector; {kind.phrase} has none.")
        if self.multimask is not None and not isinstance(self.multimask, bool):
            raise PromptError(f"multimask must be true or false; got {self.multimask!r:.60}.")
        if self.multimask and not kind.has_points:
            raise PromptError(f"multimask is for points; {kind.phrase} asks for one mask of each box.")
        for name in ("max_prompts", "points_per_side"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, Integral):
                raise PromptError(f"{name} must be a whole number; got {value!r:.60}.")
            if value < 1:
                raise PromptError(f"{name} must be at least 1; got {value}.")
            object.__setattr__(self, name, int(value))  # numpy's numbers are no JSON
        if self.prompts_at_most > MOST_PROMPTS:
            raise PromptError(
                f"One run asks at most {MOST_PROMPTS:,} prompts; of a grid that is points per side squared."
            )
        if self.confidence is not None:
            sure: object = self.confidence  # as it comes from JSON
            share = float(sure) if isinstance(sure, Real) else math.nan
            if not 0 <= share <= 1:
                raise PromptError(f"confidence must lie within 0 to 1; got {sure!r:.60}.")
            object.__setattr__(self, "confidence", share)

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        max_prompts: int | None = None,
        points_per_side: int | None = None,
        confidence: float | None = None,
        multimask: bool | None = None,
        view: ViewFilters = SHOW_ALL,
    ) -> Request:
        """Read a sampler, perhaps with its budget and with ":single" for one mask of each point.

        "grid", "grid:16" (16 x 16 points), "grid:16:single", "object-aware:64" (64 boxes at most).

        Args:
            max_prompts, points_per_side, confidence, multimask: what holds where the text says nothing of it and the
                sampler has such an option; `max_prompts` is not of grids.
            view: what is left out of the finished result.

        Raises:
            UnknownModelError, PromptError: if it is none of these.
        """
        sampler, *given = (part.strip() for part in text.split(":"))
        if given and given[-1] == _SINGLE:
            multimask = False
            given.pop()
        if len(given) > 1 or not all(part.isdecimal() and len(part) <= _DIGITS for part in given):
            raise PromptError(
                "Write a sampler and a whole number, like grid:16 or object-aware:64, and :single for one mask of "
                f"each point; got {text!r:.60}."
            )
        budget = int(given[0]) if given else None
        kind = SAMPLERS.get(sampler)
        if kind is None:
            return cls(sampler)  # refused there
        return cls(
            sampler,
            max_prompts=None if kind.is_square else max_prompts if budget is None else budget,
            points_per_side=(points_per_side if budget is None else budget) if kind.is_square else None,
            confidence=confidence if kind.has_detector else None,
            multimask=multimask if kind.has_points else None,
            view=view,
        )

    def __str__(self) -> str:
        """The sampler and its budget as `parse` reads them: "grid:32", "grid:32:single"."""
        is_single = self.kind.has_points and not self.is_multimask
        return f"{self.sampler}:{self.limit}" + (f":{_SINGLE}" if is_single else "")

    @property
    def kind(self) -> SamplerKind:
        """What the sampler is like."""
        return SAMPLERS[self.sampler]

    @property
    def is_multimask(self) -> bool:
        """Whether three masks are asked of each point."""
        return self.kind.has_points and self.multimask is not False

    @property
    def limit(self) -> int:
        """The number that sets the budget: points per side of a grid, prompts at most otherwise."""
        if not self.kind.is_square:
            return DEFAULT_MAX_PROMPTS if self.max_prompts is None else self.max_prompts
        side = self.points_per_side
        if self.max_prompts is None:
            return DEFAULT_POINTS_PER_SIDE if side is None else side
        square = math.isqrt(self.max_prompts)
        return square if side is None else min(side, square)

    @property
    def prompts_at_most(self) -> int:
        """How many prompts it may ask."""
        return self.limit**2 if self.kind.is_square else self.limit

    @property
    def detector_confidence(self) -> float | None:
        """How sure the detector must be of a box; None where there is no detector."""
        if not self.kind.has_detector:
            return None
        return DEFAULT_CONFIDENCE if self.confidence is None else self.confidence

    @property
    def source(self) -> tuple[str, float | None, bool]:
        """What the masks of a picture depend on but for their number and the filters: raw masks are kept for each."""
        return self.sampler, self.detector_confidence, self.is_multimask

    def to_record(self) -> dict[str, Any]:
        """What was asked, with defaults filled in, ready for `json.dumps`."""
        return {
            "sampler": self.sampler,
            "max_prompts": self.prompts_at_most,
            "points_per_side": self.limit if self.kind.is_square else None,
            "confidence": self.detector_confidence,
            "multimask": self.is_multimask,
            "mask_filters": None if self.mask_filters is None else asdict(self.mask_filters),
            "view": asdict(self.view),
        }
