"""Both samplers on one picture and one encoding, side by side."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from .images import load_image
from .segmenter import ImageInput, Progress, Segmenter, run_to_end
from .types import STAGES, SegmentationResult

SHARED_STAGES = ("preprocess", "encode")
"""Stages that do not depend on the sampler."""


@dataclass(frozen=True)
class Comparison:
    """What grid search and object-aware sampling gave for one picture, from one encoding of it."""

    grid: SegmentationResult
    object_aware: SegmentationResult

    @staticmethod
    def sampling_seconds(result: SegmentationResult) -> float:
        """Seconds that depend on the sampler: all stages but preprocessing and encoding."""
        return sum(seconds for stage, seconds in result.timings.items() if stage not in SHARED_STAGES)

    @property
    def speedup(self) -> float:
        """How many times faster object-aware sampling was, over the stages that depend on the sampler."""
        return self.sampling_seconds(self.grid) / max(self.sampling_seconds(self.object_aware), 1e-9)

    def rows(self) -> list[dict[str, Any]]:
        """One row per sampler for a table: counts, seconds per stage, and the seconds that depend on the sampler."""
        return [
            {
                "sampler": result.sampler,
                "prompts": len(result.prompts),
                "masks_decoded": result.masks_decoded,
                "masks": len(result.masks),
                **{stage: result.timings[stage] for stage in STAGES},
                "sampling": self.sampling_seconds(result),
            }
            for result in (self.grid, self.object_aware)
        ]


def compare(
    segmenter: Segmenter, image: ImageInput, *, max_prompts: int = 320, points_per_side: int = 32
) -> Comparison:
    """Segment everything in a picture with both samplers.

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
    picture = load_image(image)
    yield Progress("encode", 0, 1)
    embedding = segmenter.encode(picture)
    object_aware = yield from segmenter.steps(
        picture, sampler="object-aware", max_prompts=max_prompts, embedding=embedding
    )
    grid = yield from segmenter.steps(
        picture, sampler="grid", points_per_side=points_per_side, embedding=embedding
    )
    return Comparison(grid=grid, object_aware=object_aware)
