"""What more prompts bring on one picture: masks, coverage and decoder seconds against the number of prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from ..errors import PromptError
from ..filters import MaskFilters
from ..images import ImageInput, load_image
from ..progress import Progress, run_to_end
from ..prompts import Sampler
from ..request import Request
from ..results import PartialMasks, SegmentationResult
from ..segmenter import Embedding, Segmenter
from ..types import Masks, Picture, Prompts
from .compare import warm_up

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

    def to_record(self) -> dict[str, Any]:
        """The curves, ready for `json.dumps`."""
        return asdict(self) | {"boxes_ran_out": self.boxes_ran_out}


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
        image: a picture in any form that `images.read_image` takes: a path, bytes, a PIL image, an array, a tensor.
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
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress | BudgetPoint, None, BudgetCurves]:
    """As `budget_curves`, yielding each point as soon as it is measured, the smallest budgets first.

    Boxes come ranked, and a smaller budget takes the first of them: each box is decoded once, and a point adds up
    what the budgets before it took. Every grid has points of its own. Closing the generator stops the work.

    Args:
        stop: as for `Segmenter.steps`; the curves end with the last point that was measured whole.
    """
    if not budgets or budgets[0] < 1 or any(low >= high for low, high in pairwise(budgets)):
        raise PromptError(f"Budgets are rising numbers of prompts from 1 on; got {tuple(budgets)}.")
    boxes = _BoxesByBudget(segmenter.sampler_for(Request(max_prompts=budgets[-1])), budgets)
    picture = load_image(image)
    if embedding is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
    warm_up(segmenter, picture, embedding)

    points_in_all = sum(math.isqrt(budget) ** 2 for budget in budgets)
    aware: list[BudgetPoint] = []
    grids: list[BudgetPoint] = []
    parts: list[PartialMasks] = []
    with closing(segmenter.steps(picture, boxes, embedding=embedding, stop=stop)) as box_steps:
        for budget in budgets:
            points, known = sum(point.prompts for point in grids), len(parts)
            for item in box_steps:  # goes on where it paused
                if isinstance(item, PartialMasks):
                    parts.append(item)
                    if item.done == min(budget, boxes.proposed):
                        break
                elif item.stage == "decode":
                    yield Progress("decode", points + item.done, boxes.proposed + points_in_all)
            asked = parts[-1].done if parts else 0
            if len(parts) > known and asked == min(budget, boxes.proposed):
                aware.append(_point("object-aware", budget, SegmentationResult.of_partial(parts)))
                yield aware[-1]
            grid_steps = segmenter.steps(
                picture, Request("grid", max_prompts=budget), embedding=embedding, stop=stop
            )
            found = yield from _counted(grid_steps, points + asked, boxes.proposed + points_in_all)
            if not found.is_complete:
                break
            grids.append(_point("grid", budget, found))
            yield grids[-1]
    return BudgetCurves(
        object_aware=tuple(aware),
        grid=tuple(grids),
        budgets=tuple(budgets),
        boxes_proposed=boxes.proposed,
        model=segmenter.name,
        device=segmenter.device_description,
    )


def _point(sampler: str, budget: int, found: SegmentationResult) -> BudgetPoint:
    return BudgetPoint(
        sampler=sampler,
        budget=budget,
        prompts=len(found.prompts),
        masks=len(found.masks),
        coverage=found.masks.coverage,
        decode_seconds=found.timings["decode"],
    )


@dataclass
class _BoxesByBudget:
    """What `sampler` asks in its one round, in a round for each budget. Serves one run, then knows how many boxes."""

    sampler: Sampler
    budgets: Sequence[int]
    proposed: int = 0

    @property
    def name(self) -> str:
        return self.sampler.name

    @property
    def filters(self) -> MaskFilters:
        return self.sampler.filters

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        (prompts,) = self.sampler.rounds(picture)
        self.proposed = len(prompts)
        for low, high in pairwise((0, *self.budgets)):
            if low < self.proposed:
                yield prompts[low:high]


def _counted(
    steps: Generator[Progress | PartialMasks, None, SegmentationResult], before: int, total: int
) -> Generator[Progress, None, SegmentationResult]:
    """How far decoding is, as a part of all that is decoded, and what `steps` returns."""
    with closing(steps):
        while True:
            try:
                item = next(steps)
            except StopIteration as stop:
                found: SegmentationResult = stop.value
                return found
            if isinstance(item, Progress) and item.stage == "decode":
                yield Progress("decode", before + item.done, total)
