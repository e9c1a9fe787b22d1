"""Any two samplers and budgets on one picture and one encoding, side by side."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from ..errors import PromptError, UnknownModelError
from ..images import ImageInput, load_image
from ..progress import Progress, run_to_end
from ..prompts.chosen import SAMPLERS
from ..prompts.object_aware import MAX_PROMPTS, ObjectAwareSampler
from ..segmenter import Embedding, Segmenter
from ..types import STAGES, Picture, SegmentationResult
from .matching import Matching, covered_share, match_masks

SHARED_STAGES = ("preprocess", "encode")
"""Stages that do not depend on the sampler."""
GRID_SIDE = 32
"""Points per side of a grid where none are named."""
_DIGITS = 9
"""Of a number in a spec's name: Python reads thousands of them slowly or not at all."""


@dataclass(frozen=True)
class SamplerSpec:
    """A sampler and what it may ask.

    Args:
        sampler: "object-aware" or "grid".
        max_prompts: boxes at most for object-aware sampling, 320 where not given; for a grid, the largest square
            grid that fits.
        points_per_side: of a grid, 32 where not given; its square is asked.

    Raises:
        UnknownModelError: if there is no such sampler.
        PromptError: if an option does not belong to the sampler or is below 1.
    """

    sampler: str = "object-aware"
    max_prompts: int | None = None
    points_per_side: int | None = None

    def __post_init__(self) -> None:
        if self.sampler not in SAMPLERS:
            raise UnknownModelError(f"There is no sampler {self.sampler!r}. Known: {', '.join(SAMPLERS)}.")
        if self.sampler != "grid" and self.points_per_side is not None:
            raise PromptError(
                "points_per_side belongs to grid search; object-aware sampling takes max_prompts."
            )
        for name in ("max_prompts", "points_per_side"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise PromptError(f"{name} must be at least 1; got {value}.")

    @classmethod
    def parse(
        cls, text: str, *, max_prompts: int | None = None, points_per_side: int | None = None
    ) -> SamplerSpec:
        """Read "grid", "grid:16" (16 x 16 points), "object-aware" or "object-aware:64" (64 boxes at most).

        Args:
            max_prompts, points_per_side: what holds where the text names no number.

        Raises:
            UnknownModelError, PromptError: if it is none of these.
        """
        sampler, colon, given = text.strip().partition(":")
        if colon and not (given.strip().isdecimal() and len(given.strip()) <= _DIGITS):
            raise PromptError(
                f"Write a sampler and a whole number, like grid:16 or object-aware:64; got {text!r:.60}."
            )
        budget = int(given) if colon else None
        if sampler == "grid":
            return cls("grid", points_per_side=points_per_side if budget is None else budget)
        return cls(sampler, max_prompts=max_prompts if budget is None else budget)

    @property
    def limit(self) -> int:
        """The number that sets the budget: points per side of a grid, boxes at most otherwise."""
        if self.sampler != "grid":
            return MAX_PROMPTS if self.max_prompts is None else self.max_prompts
        side = GRID_SIDE if self.points_per_side is None else self.points_per_side
        return side if self.max_prompts is None else min(side, math.isqrt(self.max_prompts))

    @property
    def prompts_at_most(self) -> int:
        """How many prompts it may ask."""
        return self.limit**2 if self.sampler == "grid" else self.limit

    def __str__(self) -> str:
        """As `parse` reads it: "grid:32"."""
        return f"{self.sampler}:{self.limit}"

    def options(self) -> dict[str, Any]:
        """Itself as keyword arguments of `Segmenter.segment_everything`."""
        return asdict(self)


@dataclass(frozen=True)
class RunStatistics:
    """What one spec asked, kept and took, in numbers.

    Args:
        spec: who it was.
        prompts: boxes or points asked.
        masks_decoded: masks before any filter.
        duplicates_removed: masks that gave way to a better one with nearly the same box.
        masks: masks after all filters.
        alone: how many of these the other one has no partner for.
        coverage: share of the picture that lies in at least one mask, 0 to 1.
        seconds: of each stage, encoding included.
    """

    spec: SamplerSpec
    prompts: int
    masks_decoded: int
    duplicates_removed: int
    masks: int
    alone: int
    coverage: float
    seconds: dict[str, float]

    @property
    def sampling_seconds(self) -> float:
        """Seconds that depend on the sampler: all stages but preprocessing and encoding."""
        return sum(seconds for stage, seconds in self.seconds.items() if stage not in SHARED_STAGES)


@dataclass(frozen=True)
class Comparison:
    """What two specs gave for one picture, from one encoding of it.

    Args:
        first, second: what each gave.
        specs: who they were, in that order.
    """

    first: SegmentationResult
    second: SegmentationResult
    specs: tuple[SamplerSpec, SamplerSpec]

    @property
    def grid(self) -> SegmentationResult:
        """The result of grid search; the first one's where both are grids."""
        return self._of("grid")

    @property
    def object_aware(self) -> SegmentationResult:
        """The result of object-aware sampling; the first one's where both are."""
        return self._of("object-aware")

    @property
    def names(self) -> tuple[str, str]:
        """What tells the two apart: their samplers, or where these are the same, also their budgets."""
        first, second = self.specs
        if first.sampler != second.sampler:
            return first.sampler, second.sampler
        if first.limit != second.limit:
            return str(first), str(second)
        return f"{first} first", f"{second} second"

    @cached_property
    def matching(self) -> Matching:
        """Which masks of the two are of the same thing."""
        return match_masks(self.first.masks, self.second.masks)

    @cached_property
    def statistics(self) -> tuple[RunStatistics, RunStatistics]:
        """Both in numbers."""
        alone = self.matching.first_only, self.matching.second_only
        first, second = (
            RunStatistics(
                spec=spec,
                prompts=len(result.prompts),
                masks_decoded=result.masks_decoded,
                duplicates_removed=result.duplicates_removed,
                masks=len(result.masks),
                alone=len(own),
                coverage=covered_share(result.masks),
                seconds=result.timings,
            )
            for spec, result, own in zip(self.specs, (self.first, self.second), alone, strict=True)
        )
        return first, second

    @staticmethod
    def sampling_seconds(result: SegmentationResult) -> float:
        """Seconds that depend on the sampler: all stages but preprocessing and encoding."""
        return sum(seconds for stage, seconds in result.timings.items() if stage not in SHARED_STAGES)

    @property
    def speedup(self) -> float:
        """How many times faster the second was than the first, over the stages that depend on the sampler."""
        return self.sampling_seconds(self.first) / max(self.sampling_seconds(self.second), 1e-9)

    def rows(self) -> list[dict[str, Any]]:
        """One row per spec for a table: its name, counts, coverage from 0 to 1, seconds per stage, and the
        seconds that depend on the sampler."""
        return [
            {
                "sampler": name,
                "prompts": standing.prompts,
                "masks_decoded": standing.masks_decoded,
                "duplicates": standing.duplicates_removed,
                "masks": standing.masks,
                "alone": standing.alone,
                "coverage": standing.coverage,
                **{stage: standing.seconds[stage] for stage in STAGES},
                "sampling": standing.sampling_seconds,
            }
            for name, standing in zip(self.names, self.statistics, strict=True)
        ]

    def _of(self, sampler: str) -> SegmentationResult:
        for result in (self.first, self.second):
            if result.sampler == sampler:
                return result
        raise AttributeError(f"Neither spec was {sampler}; the results are in `first` and `second`.")


def compare(
    segmenter: Segmenter, image: ImageInput, *, max_prompts: int = 320, points_per_side: int = 32
) -> Comparison:
    """Segment everything in a picture with grid search and with object-aware sampling.

    Args:
        segmenter: the model; it needs a detector.
        image: a path, a PIL image, or uint8 RGB (H, W, 3).
        max_prompts: boxes at most for object-aware sampling.
        points_per_side: of the grid; it asks its square.

    Raises:
        InvalidImageError: if the image cannot be read.
        PromptError: if an option is out of range.
    """
    return run_to_end(
        compare_steps(segmenter, image, max_prompts=max_prompts, points_per_side=points_per_side)
    )


def compare_steps(
    segmenter: Segmenter, image: ImageInput, *, max_prompts: int = 320, points_per_side: int = 32
) -> Generator[Progress, None, Comparison]:
    """As `compare`, pausing after every stage and chunk. Closing the generator stops the work."""
    specs = (
        SamplerSpec("grid", points_per_side=points_per_side),
        SamplerSpec("object-aware", max_prompts=max_prompts),
    )
    return compare_specs_steps(segmenter, image, specs)


def compare_specs(
    segmenter: Segmenter,
    image: ImageInput,
    specs: tuple[SamplerSpec, SamplerSpec],
    *,
    embedding: Embedding | None = None,
) -> Comparison:
    """Segment everything in a picture with any two samplers and budgets.

    Args:
        segmenter: the model; it needs a detector if a spec is object-aware.
        image: a path, a PIL image, or uint8 RGB (H, W, 3).
        specs: two, of one sampler or of both.
        embedding: of the same picture, to save encoding it again.

    Raises:
        InvalidImageError: if the image cannot be read.
        PromptError: if a spec needs a detector and there is none.
    """
    return run_to_end(compare_specs_steps(segmenter, image, specs, embedding=embedding))


def compare_specs_steps(
    segmenter: Segmenter,
    image: ImageInput,
    specs: tuple[SamplerSpec, SamplerSpec],
    *,
    embedding: Embedding | None = None,
) -> Generator[Progress, None, Comparison]:
    """As `compare_specs`, pausing after every stage and chunk. Closing the generator stops the work."""
    picture = load_image(image)
    if embedding is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
    warm_up(segmenter, picture, embedding)
    first, second = specs
    before = yield from segmenter.steps(picture, **first.options(), embedding=embedding)
    after = yield from segmenter.steps(picture, **second.options(), embedding=embedding)
    return Comparison(first=before, second=after, specs=(first, second))


def warm_up(segmenter: Segmenter, picture: Picture, embedding: Embedding) -> None:
    """Ask for one mask of each kind before seconds are measured: on a GPU the first of a kind pays for its kernels.

    Args:
        embedding: of `picture`.
    """
    if segmenter.device.type == "cpu":
        return
    if segmenter.detector is not None:
        next(ObjectAwareSampler(detector=segmenter.detector, max_prompts=1).rounds(picture))
    segmenter.predict(embedding, boxes=[0, 0, 1, 1])
    segmenter.predict(embedding, points=[[0, 0]], multimask=True)
