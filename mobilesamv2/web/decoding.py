"""All answers to what a sampler asks about a picture, before any filter: made step by step, added to, taken in part."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from ..errors import PromptError
from ..progress import Progress
from ..prompts import GridSampler, MaskFilters, ObjectAwareSampler, Sampler
from ..prompts.piecewise import PiecewiseSampler
from ..segmenter import Segmenter
from ..stored import StoredEmbedding
from ..types import STAGES, Ints, Masks, Picture, Prompts, SegmentationResult
from .encoding import encoded
from .models import Models
from .numbering import free_numbers

_PIECE = 16
"""Prompts between two looks at what came: a few chunks on a CPU."""
_LOOK_SECONDS = 0.4
"""Between two looks that are told: each is pickled, drawn and sent."""


@dataclass(frozen=True)
class Ask:
    """What is to be asked.

    Args:
        sampler: "object-aware" or "grid".
        max_prompts: at most so many prompts; a grid is the largest square that fits.
        confidence: how sure the detector must be of a box; grid search has no detector.
        model: of the menu, perhaps with a detector.
    """

    sampler: str
    max_prompts: int
    confidence: float
    model: str

    @property
    def source(self) -> tuple[str, str, float]:
        """What the answers depend on but for their number: one `Decoded` is kept for each."""
        return self.model, self.sampler, 0.0 if self.sampler == "grid" else self.confidence


@dataclass(frozen=True, eq=False)
class Found:
    """Masks that came since the last look, in the order asked.

    Args:
        masks: `prompt_index` counts all prompts asked of the picture.
        asked, total: prompts of this run.
        filters: the sampler's own.
        run: the prompts that they answer, and what the run is and took so far, without masks. Its seconds are those
            between two steps: making masks and filtering count as decoding.
    """

    masks: Masks
    asked: int
    total: int
    filters: MaskFilters
    run: SegmentationResult


@dataclass(frozen=True, eq=False)
class Decoded:
    """All answers to the prompts asked of a picture.

    Args:
        masks: every one that has a pixel, in the order asked, the best first of those of one prompt.
        prompts: what was asked; `masks.prompt_index` points into it.
        budget: how many prompts were allowed.
        filters: the sampler's own, not applied yet.
        numbers: of the masks, int64 (N,): stay the same when prompts are added or left out, for colours.
        run: prompts and masks apart, what the run was and took.
    """

    masks: Masks
    prompts: Prompts
    budget: int
    filters: MaskFilters
    numbers: Ints
    run: SegmentationResult

    @classmethod
    def of(cls, result: SegmentationResult, *, budget: int, filters: MaskFilters) -> Decoded:
        """What a run without filters gave."""
        masks = in_order_asked(result.masks)
        bare = replace(result, masks=Masks.empty(masks.size_hw))
        return cls(
            masks=masks,
            prompts=result.prompts,
            budget=budget,
            filters=filters,
            numbers=np.arange(len(masks)),
            run=bare,
        )

    @classmethod
    def so_far(cls, looks: Sequence[Found], *, skip: int) -> Decoded:
        """What a run gave that was stopped after these looks, at least one; the first `skip` prompts it left out."""
        masks = Masks.concatenate([look.masks for look in looks])
        return cls(
            masks=replace(masks, prompt_index=masks.prompt_index - skip),
            prompts=Prompts.concatenate([look.run.prompts for look in looks]),
            budget=skip + looks[-1].asked,
            filters=looks[-1].filters,
            numbers=np.arange(len(masks)),
            run=looks[-1].run,
        )

    @property
    def is_grid(self) -> bool:
        return self.run.sampler == "grid"

    @property
    def is_complete(self) -> bool:
        """Whether more prompts would ask nothing more: the detector found fewer boxes than were allowed."""
        return not self.is_grid and len(self.prompts) < self.budget

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return sum(len(rle["counts"]) + 200 for rle in self.masks.rles) + 64 * len(self.prompts)

    def answers(self, max_prompts: int) -> bool:
        """Whether a budget can be answered without asking the model."""
        if self.is_grid:  # the largest square that fits counts
            return math.isqrt(max_prompts) <= math.isqrt(self.budget)
        return max_prompts <= self.budget or self.is_complete

    def within(self, max_prompts: int) -> Decoded:
        """What a smaller budget leaves.

        The surest boxes stay. Of a grid's points those stay that lie closest to the points of the smaller grid, so
        these may be a little irregular.
        """
        chosen = self._chosen(max_prompts)
        if len(chosen) == len(self.prompts):
            return self
        place = np.full(len(self.prompts), -1, dtype=np.int64)
        place[chosen] = np.arange(len(chosen))
        stays = place[self.masks.prompt_index] >= 0
        masks = self.masks.select(stays)
        return replace(
            self,
            masks=replace(masks, prompt_index=place[masks.prompt_index]),
            prompts=self.prompts[chosen],
            numbers=self.numbers[stays],
        )

    def _chosen(self, max_prompts: int) -> Ints:
        if not self.is_grid:
            return np.arange(min(max_prompts, len(self.prompts)))
        full, side = math.isqrt(len(self.prompts)), math.isqrt(max_prompts)
        if side >= full:
            return np.arange(len(self.prompts))
        steps = ((np.arange(side) + 0.5) * full / side).astype(np.int64)
        return np.asarray((steps[:, None] * full + steps[None, :]).reshape(-1))

    def extended(self, more: Decoded) -> Decoded:
        """With the answers to further prompts, which were asked after these."""
        later = replace(more.masks, prompt_index=more.masks.prompt_index + len(self.prompts))
        masks = Masks.concatenate([self.masks, later])
        timings = {
            # Both runs count the same encoding.
            stage: seconds + (0.0 if stage in ("preprocess", "encode") else more.run.timings.get(stage, 0.0))
            for stage, seconds in self.run.timings.items()
        }
        decoded = self.run.masks_decoded + more.run.masks_decoded
        return replace(
            self,
            masks=masks,
            prompts=Prompts.concatenate([self.prompts, more.prompts]),
            budget=more.budget,
            numbers=np.concatenate([self.numbers, free_numbers(len(later), taken=self.numbers)]),
            run=replace(self.run, timings=timings, masks_decoded=decoded),
        )


def in_order_asked(masks: Masks) -> Masks:
    """Prompt by prompt, the best mask of each first."""
    return masks.select(np.lexsort((-masks.scores, masks.prompt_index)))


def run_everything(
    models: Models, picture: Picture, stored: StoredEmbedding | None, ask: Ask, skip: int
) -> Generator[Progress | StoredEmbedding | Found | Decoded, None, None]:
    """Ask about `picture`: progress, looks at what came, all of it as the last item. Closing it stops the work.

    Args:
        stored: the picture's embedding, if there is one.
        skip: prompts at the beginning that were asked before.
    """
    segmenter = models.get(ask.model)
    sampler = sampler_for(segmenter, ask)
    own = sampler.filters
    everything = MaskFilters(stability_offset=own.stability_offset)
    pieces = PiecewiseSampler(sampler, piece=_PIECE, skip=skip, filters=everything)
    embedding = yield from encoded(segmenter, picture, stored)
    steps = segmenter.steps(picture, sampler=pieces, embedding=embedding)
    looked, seen, stage = time.monotonic(), 0, "preprocess"
    seconds = dict.fromkeys(STAGES, 0.0) | embedding.timings
    with closing(steps):
        while True:
            started = time.perf_counter()
            try:
                step = next(steps)
            except StopIteration as end:
                result: SegmentationResult = end.value
                break
            seconds[stage] += time.perf_counter() - started
            stage = step.stage
            if step.stage == "decode":
                step = Progress("decode", min(step.done, pieces.total), pieces.total)
            yield step
            if len(pieces.answers) > seen and time.monotonic() - looked >= _LOOK_SECONDS:
                came = Masks.concatenate(pieces.answers[seen:])
                came = in_order_asked(replace(came, prompt_index=came.prompt_index + skip))
                prompts = Prompts.concatenate(pieces.prompts[seen:])
                so_far = SegmentationResult(
                    masks=Masks.empty(came.size_hw),
                    prompts=prompts,
                    timings=dict(seconds),
                    masks_decoded=pieces.asked * (3 if prompts.multimask else 1),
                    sampler=sampler.name,
                    model=segmenter.name,
                    device=segmenter.device_description,
                )
                yield Found(
                    masks=came,
                    asked=pieces.asked,
                    total=pieces.total,
                    filters=own,
                    run=so_far,
                )
                looked, seen = time.monotonic(), len(pieces.answers)
    yield Decoded.of(result, budget=ask.max_prompts, filters=own)


def prompts_of_everything(picture: Picture, stored: StoredEmbedding | None, ask: Ask, skip: int) -> int:
    """How many prompts `run_everything` will ask at the most."""
    return max(1, ask.max_prompts - skip)


def sampler_for(segmenter: Segmenter, ask: Ask) -> Sampler:
    """The sampler that an `Ask` names.

    Raises:
        PromptError: if there is no such sampler, or no detector for it.
    """
    if ask.max_prompts < 1:
        raise PromptError(f"There must be at least 1 prompt; got {ask.max_prompts}.")
    if ask.sampler == "grid":
        side = math.isqrt(ask.max_prompts)
        return GridSampler(points_per_side=side, filters=segmenter.grid_filters)
    if ask.sampler != "object-aware":
        raise PromptError(f'There is no sampler "{ask.sampler}"; choose object-aware or grid.')
    if segmenter.detector is None:
        raise PromptError(f"{segmenter.name} was built without a detector; use grid search.")
    return ObjectAwareSampler(
        detector=segmenter.detector, max_prompts=ask.max_prompts, confidence=ask.confidence
    )
