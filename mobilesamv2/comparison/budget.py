"""What more prompts bring on one picture: masks, coverage and decoder seconds against the number of prompts."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..errors import PromptError
from ..images import ImageInput, load_image
from ..progress import Progress, run_to_end
from ..prompts import GridSampler, MaskFilters, ObjectAwareSampler
from ..segmenter import Embedding, Segmenter
from ..types import Masks, Picture, Prompts, SegmentationResult
from .compare import warm_up
from .matching import covered_share

BUDGETS = (16, 32, 64, 128, 256, 512, 1024)
"""Where the curves are measured."""


def budgets_up_to(largest: int) -> tuple[int, ...]:
    """Those of `BUDGETS` below a number, and the number itself.

    Raises:
        PromptError: if it is below 1.
    """
    if largest < 1:
        raise PromptError(f"The largest budget must be at least 1 prompt; got {largest}.")
    return (*(budget for budget in BUDGETS if budget < largest), largest)


@dataclass(frozen=True)
class BudgetPoint:
    """One point of a curve.

    Args:
        sampler: "object-aware" or "grid".
        budget: prompts that were allowed.
        prompts: prompts that were asked: fewer where the detector proposed fewer boxes, or where the largest
            square grid that fits is smaller.
        masks: masks kept after filters.
        coverage: share of the picture that lies in at least one of them, 0 to 1.
        decode_seconds: what the decoder took for these prompts.
    """

    sampler: str
    budget: int
    prompts: int
    masks: int
    coverage: float
    decode_seconds: float


@dataclass(frozen=True)
class BudgetCurves:
    """Both curves of one picture, from one encoding of it.

    Args:
        object_aware, grid: a point for each budget, rising. That of object-aware sampling ends with the first
            budget that takes all boxes, and has no point where there are none.
        budgets: what was to be measured.
        boxes_proposed: boxes that the detector proposed, at most the largest budget.
        model, device: what ran, and where.
    """

    object_aware: tuple[BudgetPoint, ...]
    grid: tuple[BudgetPoint, ...]
    budgets: tuple[int, ...]
    boxes_proposed: int
    model: str
    device: str

    @property
    def boxes_ran_out(self) -> bool:
        """Whether the detector proposed fewer boxes than the largest budget allows."""
        return self.boxes_proposed < self.budgets[-1]


def budget_curves(
    segmenter: Segmenter,
    image: ImageInput,
    *,
    budgets: Sequence[int] = BUDGETS,
    embedding: Embedding | None = None,
) -> BudgetCurves:
    """Measure how masks, coverage and decoder seconds grow with the prompts, for both samplers.

    Args:
        segmenter: the model; it needs a detector.
        image: a path, a PIL image, or uint8 RGB (H, W, 3).
        budgets: prompts allowed, rising. For the grid, the largest square that fits is asked.
        embedding: of the same picture, to save encoding it again.

    Raises:
        InvalidImageError: if the image cannot be read.
        PromptError: if the budgets are not rising numbers from 1 on, or there is no detector.
    """
    return run_to_end(budget_steps(segmenter, image, budgets=budgets, embedding=embedding))


def budget_steps(
    segmenter: Segmenter,
    image: ImageInput,
    *,
    budgets: Sequence[int] = BUDGETS,
    embedding: Embedding | None = None,
) -> Generator[Progress | BudgetPoint, None, BudgetCurves]:
    """As `budget_curves`, yielding each point as soon as it is measured, the smallest budgets first.

    Boxes come ranked, and a smaller budget takes the first of them: each box is decoded once, and a point adds up
    what the budgets before it took. Every grid has points of its own. Closing the generator stops the work.
    """
    if not budgets or budgets[0] < 1 or any(low >= high for low, high in pairwise(budgets)):
        raise PromptError(f"Budgets are rising numbers of prompts from 1 on; got {tuple(budgets)}.")
    if segmenter.detector is None:
        raise PromptError(
            f"{segmenter.name} was built without a detector, which object-aware sampling needs."
        )
    picture = load_image(image)
    if embedding is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
    warm_up(segmenter, picture, embedding)
    yield Progress("discover", 0, 1)
    (boxes,) = ObjectAwareSampler(detector=segmenter.detector, max_prompts=budgets[-1]).rounds(picture)
    counter = _Counter(total=len(boxes) + sum(math.isqrt(budget) ** 2 for budget in budgets))

    aware: list[BudgetPoint] = []
    grids: list[BudgetPoint] = []
    masks = [Masks.empty((picture.shape[0], picture.shape[1]))]
    asked, decode_seconds = 0, 0.0
    for budget in budgets:
        more = boxes[asked:budget]
        if len(more):
            steps = segmenter.steps(picture, sampler=_Given(more), embedding=embedding)
            found = yield from counter.count(steps)
            asked += len(more)
            decode_seconds += found.timings["decode"]
            masks.append(found.masks)
            aware.append(_point("object-aware", budget, asked, Masks.concatenate(masks), decode_seconds))
            yield aware[-1]
        grid = GridSampler(points_per_side=math.isqrt(budget), filters=segmenter.grid_filters)
        steps = segmenter.steps(picture, sampler=grid, embedding=embedding)
        found = yield from counter.count(steps)
        grids.append(_point("grid", budget, len(found.prompts), found.masks, found.timings["decode"]))
        yield grids[-1]
    return BudgetCurves(
        object_aware=tuple(aware),
        grid=tuple(grids),
        budgets=tuple(budgets),
        boxes_proposed=len(boxes),
        model=segmenter.name,
        device=segmenter.device_description,
    )


def _point(sampler: str, budget: int, prompts: int, masks: Masks, decode_seconds: float) -> BudgetPoint:
    return BudgetPoint(
        sampler=sampler,
        budget=budget,
        prompts=prompts,
        masks=len(masks),
        coverage=covered_share(masks),
        decode_seconds=decode_seconds,
    )


@dataclass(frozen=True)
class _Given:
    """Asks for boxes that are known already, and keeps every mask, as object-aware sampling does."""

    prompts: Prompts
    filters: MaskFilters = field(default_factory=MaskFilters)
    name: str = "object-aware"

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        yield self.prompts


@dataclass
class _Counter:
    """Turns the progress of one run after another into that of all of them, in prompts decoded."""

    total: int
    done: int = 0

    def count(
        self, steps: Generator[Progress, None, SegmentationResult]
    ) -> Generator[Progress, None, SegmentationResult]:
        """Pass on how far decoding is, and return what `steps` returns."""
        before = self.done
        try:
            while True:
                step = next(steps)
                if step.stage == "decode":
                    self.done = before + step.done
                    yield Progress("decode", self.done, self.total)
        except StopIteration as stop:
            found: SegmentationResult = stop.value
        finally:
            steps.close()
        self.done = before + len(found.prompts)
        return found
