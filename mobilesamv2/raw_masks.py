"""All masks decoded for a picture before any filter: added to, taken in part, filtered, and numbered for colours."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from .comparison.matching import match_masks
from .filters import apply_filters
from .prompts.grid import coarser_grid
from .request import Request
from .results import RunInfo, SegmentationResult
from .sampler_kinds import SAMPLERS
from .types import Ints, Masks, Prompts


@dataclass(frozen=True, eq=False)
class RawMasks:
    """All masks decoded for a picture and one source of prompts (`Request.source`).

    Args:
        masks: every one that has a pixel, in the order asked, the best first of those of one prompt.
        prompts: what was asked; `masks.prompt_index` points into it.
        budget: how many prompts were allowed.
        numbers: of the masks, int64 (N,): stay the same when prompts are added or left out, for names and colours.
        run: what the run was and took.
        is_complete: whether all prompts of the budget were asked; False for a run that was stopped.
    """

    masks: Masks
    prompts: Prompts
    budget: int
    numbers: Ints
    run: RunInfo
    is_complete: bool = True

    @classmethod
    def of(cls, result: SegmentationResult) -> RawMasks:
        """What a run gave whose filters kept everything (`Segmenter.steps` with `filters=MaskFilters()`).

        Of a run that was stopped, the prompts that were asked are the budget.
        """
        asked = len(result.prompts)
        allowed = asked if result.request is None else result.request.prompts_at_most
        masks = in_prompt_order(result.masks)
        return cls(
            masks=masks,
            prompts=result.prompts,
            budget=allowed if result.is_complete else asked,
            numbers=np.arange(len(masks)),
            run=RunInfo(**{field.name: getattr(result, field.name) for field in fields(RunInfo)}),
            is_complete=result.is_complete,
        )

    @property
    def is_square(self) -> bool:
        """Whether the budget is the points along each side of a grid: a part of the prompts is no smaller budget."""
        return self.run.sampler in SAMPLERS and SAMPLERS[self.run.sampler].is_square

    @property
    def is_adaptive(self) -> bool:
        """Whether prompts depend on the masks of those before them: they cannot be added to by a run that skips."""
        return self.run.sampler in SAMPLERS and SAMPLERS[self.run.sampler].is_adaptive

    @property
    def is_exhausted(self) -> bool:
        """Whether a larger budget would ask nothing more: there were fewer prompts to ask than were allowed."""
        return self.is_complete and not self.is_square and len(self.prompts) < self.budget

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return sum(len(rle["counts"]) + 200 for rle in self.masks.rles) + 64 * len(self.prompts)

    def answers(self, max_prompts: int) -> bool:
        """Whether a budget can be answered without asking the model."""
        if self.is_square:  # the largest square that fits counts
            asked, side = math.isqrt(self.budget), math.isqrt(max_prompts)
            return self.is_complete and (side == asked if self.is_adaptive else side <= asked)
        return max_prompts <= self.budget or self.is_exhausted

    def within(self, max_prompts: int) -> RawMasks:
        """What a smaller budget leaves.

        The first prompts stay, which are the surest boxes. Of a grid's points those stay that lie closest to the points
        of the smaller grid, so these may be a little irregular. Of hierarchical search all stay: what a smaller grid
        would ask depends on masks that are not there.
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
            run=replace(self.run, masks_decoded=self._decoded_of(chosen)),
        )

    def _chosen(self, max_prompts: int) -> Ints:
        if not self.is_square:
            return np.arange(min(max_prompts, len(self.prompts)))
        full, side = math.isqrt(len(self.prompts)), math.isqrt(max_prompts)
        if side >= full or self.is_adaptive:
            return np.arange(len(self.prompts))
        return coarser_grid(full, coarse=side)

    def _decoded_of(self, chosen: Ints) -> int:
        """How many masks the decoder gave for these of the prompts: where there are boxes and points, one for a box."""
        prompts = self.prompts
        each = np.where(prompts.has_box, 1, 3) if prompts.is_mixed and prompts.multimask else np.ones(len(prompts))
        return int(self.run.masks_decoded * each[chosen].sum() // max(1, each.sum()))

    def extended(self, more: RawMasks) -> RawMasks:
        """With the masks of further prompts, which were asked after these (`skip` of `Segmenter.steps`)."""
        later = replace(more.masks, prompt_index=more.masks.prompt_index + len(self.prompts))
        timings = {
            # Both runs count the same encoding.
            stage: seconds + (0.0 if stage in ("preprocess", "encode") else more.run.timings.get(stage, 0.0))
            for stage, seconds in self.run.timings.items()
        }
        decoded = self.run.masks_decoded + more.run.masks_decoded
        prompts = Prompts.concatenate([self.prompts, more.prompts]) if len(more.prompts) else self.prompts
        return replace(
            self,
            masks=Masks.concatenate([self.masks, later]),
            prompts=prompts,
            budget=more.budget if more.is_complete else len(prompts),
            numbers=np.concatenate([self.numbers, free_numbers(len(later), taken=self.numbers)]),
            run=replace(self.run, timings=timings, masks_decoded=decoded, request=more.run.request),
            is_complete=more.is_complete,
        )

    def filtered(self, request: Request, *, own_filters: bool = True) -> tuple[Masks, Ints]:
        """What a request leaves of these: its budget, the sampler's filters or those it names, and its view filters.

        Args:
            own_filters: False leaves the sampler's filters out.

        Returns:
            Masks, best first, and int64 (N,), their numbers; `prompt_index` points into `within(…).prompts`.
        """
        part = self.within(request.prompts_at_most)
        filters = request.mask_filters or self.run.own_filters
        if not own_filters:
            filters = replace(filters, predicted_iou=None, stability=None, box_nms=None, mask_nms=None)
        masks, kept = apply_filters(part.masks, filters, request.view)
        return masks, part.numbers[kept]

    def numbered_like(self, seen: Masks, numbers: Ints) -> RawMasks:
        """The same masks, with the numbers of those that people saw of the picture before.

        Args:
            seen, numbers: what was seen, from another source or model, and how it was numbered.
        """
        _, shown = apply_filters(self.masks, self.run.own_filters)
        return replace(self, numbers=numbers_like(self.masks, shown, seen, numbers))


def in_prompt_order(masks: Masks) -> Masks:
    """Prompt by prompt, the best mask of each first."""
    return masks.select(np.lexsort((-masks.scores, masks.prompt_index)))


def numbers_like(masks: Masks, shown: Ints, known: Masks, numbers: Ints) -> Ints:
    """Numbers for new masks: those that match known ones get their numbers, the others get free ones in order.

    Args:
        masks: N masks, of the picture of `known`.
        shown: int64 (M,), which of them people see at first: only these are matched.
        known, numbers: masks that were seen before, and their numbers.

    Returns:
        int64 (N,), no two alike.
    """
    pairs = match_masks(known, masks.select(shown)).pairs
    matched = shown[pairs[:, 1]]
    found = np.full(len(masks), -1, dtype=np.int64)
    found[matched] = numbers[pairs[:, 0]]
    found[found < 0] = free_numbers(len(masks) - len(matched), taken=numbers)
    return found


def free_numbers(count: int, *, taken: Ints) -> Ints:
    """The `count` smallest numbers from 0 on that are not `taken`, rising."""
    return np.setdiff1d(np.arange(count + len(taken)), taken)[:count]
