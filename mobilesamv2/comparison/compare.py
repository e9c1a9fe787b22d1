"""Comparison of two requests on one picture, from one encoding."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..images import ImageInput, read_image
from ..progress import Progress, only_progress, run_to_end
from ..prompts import ObjectAwareSampler
from ..request import Request
from ..results import SegmentationResult
from ..segmenter import Embedding, Segmenter
from ..types import Picture
from .matching import Matching, match_masks

SHARED_STAGES = ("preprocess", "encode")
"""Stages that do not depend on the sampler."""
GRID, OBJECT_AWARE = Request("grid"), Request("object-aware")


@dataclass(frozen=True)
class RunStatistics:
    """What one run asked, kept and took, in numbers.

    Args:
        request: what was asked.
        prompts: boxes or points asked.
        masks: masks after all filters.
        alone: how many of these the other run has no partner for.
        coverage: share of the picture that lies in at least one mask, 0 to 1.
        seconds: of each stage, encoding included.
    """

    request: Request
    prompts: int
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
    """What two requests gave for one picture, from one encoding of it.

    Args:
        first, second: what each gave.
        requests: what was asked, in that order.
    """

    first: SegmentationResult
    second: SegmentationResult
    requests: tuple[Request, Request]

    @property
    def names(self) -> tuple[str, str]:
        """What tells the two apart: their samplers, or where these are the same, also their budgets."""
        first, second = self.requests
        if first.sampler != second.sampler:
            return first.sampler, second.sampler
        if str(first) != str(second):
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
                request=request,
                prompts=len(result.prompts),
                masks=len(result.masks),
                alone=len(own),
                coverage=result.masks.coverage,
                seconds=result.timings,
            )
            for request, result, own in zip(self.requests, (self.first, self.second), alone, strict=True)
        )
        return first, second

    @property
    def speedup(self) -> float:
        """How many times faster the second was than the first, over the stages that depend on the sampler."""
        first, second = self.statistics
        return first.sampling_seconds / max(second.sampling_seconds, 1e-9)

    def records(self) -> list[dict[str, Any]]:
        """The record of each run (`SegmentationResult.to_record`), with its `name`, the masks that only this run has
        (`found_alone`), and the seconds that depend on the sampler (`sampling_seconds`)."""
        return [
            {
                "name": name,
                **result.to_record(),
                "found_alone": numbers.alone,
                "sampling_seconds": round(numbers.sampling_seconds, 6),
            }
            for name, result, numbers in zip(self.names, (self.first, self.second), self.statistics, strict=True)
        ]


def compare(
    segmenter: Segmenter,
    image: ImageInput,
    first: Request = GRID,
    second: Request = OBJECT_AWARE,
    *,
    embedding: Embedding | None = None,
) -> Comparison:
    """Segment everything in a picture in two ways, from one encoding of it.

    Args:
        segmenter: the model; it needs a detector if a request is object-aware.
        image: a picture in any form that `images.read_image` takes: a path, bytes, a PIL image, an array, a tensor.
        first, second: what is asked: any sampler, budget and filters.
        embedding: of the same picture, to save encoding it again.

    Raises:
        InvalidImageError: if the image cannot be read.
        PromptError: if a request needs a detector and there is none.
    """
    return run_to_end(compare_steps(segmenter, image, first, second, embedding=embedding))


def compare_steps(
    segmenter: Segmenter,
    image: ImageInput,
    first: Request = GRID,
    second: Request = OBJECT_AWARE,
    *,
    embedding: Embedding | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress, None, Comparison]:
    """As `compare`, pausing after every stage and chunk. Closing the generator stops the work.

    Args:
        stop: as for `Segmenter.steps`; the results tell whether they are complete.
    """
    read = read_image(image)
    picture = read.picture
    if embedding is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
    warm_up(segmenter, picture, embedding)
    results = []
    for request in (first, second):
        steps = segmenter.steps(read, request, embedding=embedding, stop=stop)
        results.append((yield from only_progress(steps)))
    return Comparison(first=results[0], second=results[1], requests=(first, second))


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
