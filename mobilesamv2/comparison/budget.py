"""What more prompts bring on one picture: masks, coverage and decoder seconds against the number of prompts."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..errors import PromptError
from ..filters import MaskFilters
from ..images import ImageInput, load_image
from ..progress import Progress, run_to_end
from ..prompts import Sampler
from ..request import Request
from ..results import PartialMasks, SegmentationResult
from ..sampler_kinds import SAMPLERS
from ..segmenter import Embedding, Segmenter
from ..types import Masks, Picture, Prompts
from .compare import warm_up

BUDGETS = (16, 32, 64, 128, 256, 512, 1024)
"""Where the curves are measured."""
USUAL_SAMPLERS = ("object-aware", "grid")
"""The two that the paper compares."""


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
        sampler: its name.
        budget: prompts that were allowed.
        prompts: prompts that were asked: fewer where the detector proposed fewer boxes, where the largest square grid
            that fits is smaller, or where masks cover what was left to ask.
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
    """The curves of one picture, from one encoding of it.

    Args:
        curves: by sampler, a point for each budget, rising. Where a sampler has no more to ask, its curve ends with the
            first budget that takes all of it; it has no point where nothing was asked.
        budgets: what was to be measured.
        boxes_proposed: boxes that the detector proposed, at most the largest budget; None where no sampler has one.
        model, device: what ran, and where.
    """

    curves: dict[str, tuple[BudgetPoint, ...]]
    budgets: tuple[int, ...]
    boxes_proposed: int | None
    model: str
    device: str

    @property
    def points(self) -> tuple[BudgetPoint, ...]:
        """All points, curve by curve."""
        return tuple(point for curve in self.curves.values() for point in curve)

    @property
    def boxes_ran_out(self) -> bool:
        """Whether the detector proposed fewer boxes than the largest budget allows."""
        return self.boxes_proposed is not None and self.boxes_proposed < self.budgets[-1]

    def to_record(self) -> dict[str, Any]:
        """The curves, each by the name of its sampler with "_" for "-", and the rest, ready for `json.dumps`."""
        record = asdict(self)
        curves = {name.replace("-", "_"): curve for name, curve in record.pop("curves").items()}
        return curves | record | {"boxes_ran_out": self.boxes_ran_out}


def budget_curves(
    segmenter: Segmenter,
    image: ImageInput,
    *,
    samplers: Sequence[str] = USUAL_SAMPLERS,
    budgets: Sequence[int] = BUDGETS,
    embedding: Embedding | None = None,
) -> BudgetCurves:
    """Measure how masks, coverage and decoder seconds grow with the prompts of each sampler.

    Args:
        segmenter: the model; it needs a detector if a sampler does.
        image: a picture, as `Segmenter.segment_everything` takes it.
        samplers: names, as in `prompts.SAMPLERS`.
        budgets: prompts allowed, rising. For a grid, the largest square that fits is asked.
        embedding: of the same picture, to save encoding it again.

    Raises:
        InvalidImageError: if the image cannot be read.
        UnknownModelError: if there is no such sampler.
        PromptError: if the budgets are not rising numbers from 1 on, or there is no detector.
    """
    return run_to_end(budget_steps(segmenter, image, samplers=samplers, budgets=budgets, embedding=embedding))


def budget_steps(
    segmenter: Segmenter,
    image: ImageInput,
    *,
    samplers: Sequence[str] = USUAL_SAMPLERS,
    budgets: Sequence[int] = BUDGETS,
    embedding: Embedding | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[Progress | BudgetPoint, None, BudgetCurves]:
    """As `budget_curves`, yielding each point as soon as it is measured, the smallest budgets first.

    Where a smaller budget asks the first prompts of a larger one, each prompt is decoded once, and a point adds up what
    the budgets before it took. Every grid has points of its own. Closing the generator stops the work.

    Args:
        stop: as for `Segmenter.steps`; the curves end with the last point that was measured whole.
    """
    if not budgets or budgets[0] < 1 or any(low >= high for low, high in pairwise(budgets)):
        raise PromptError(f"Budgets are rising numbers of prompts from 1 on; got {tuple(budgets)}.")
    requests = [Request(name, max_prompts=budgets[-1]) for name in samplers]
    made = [(request, segmenter.sampler_for(request)) for request in requests]
    picture = load_image(image)
    if embedding is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
    warm_up(segmenter, picture, embedding)
    with ExitStack() as stack:
        measured: list[_Curve] = []
        for request, sampler in made:
            curve = _Curve(request.sampler, tuple(budgets))
            if not request.kind.is_square:
                curve.rounds = _RoundsByBudget(sampler, budgets)
                steps = segmenter.steps(picture, curve.rounds, embedding=embedding, stop=stop)
                curve.steps = stack.enter_context(closing(steps))
            measured.append(curve)
        for budget in budgets:
            for curve in measured:
                if curve.steps is None:
                    asked = Request(curve.sampler, max_prompts=budget)
                    steps = segmenter.steps(picture, asked, embedding=embedding, stop=stop)
                    point = yield from _whole(curve, budget, steps, measured)
                else:
                    point = yield from _further(curve, budget, curve.steps, measured)
                if point is not None:
                    curve.points.append(point)
                    yield point
                if curve.is_stopped:
                    return _found(segmenter, measured, budgets)
    return _found(segmenter, measured, budgets)


def _found(segmenter: Segmenter, measured: Sequence[_Curve], budgets: Sequence[int]) -> BudgetCurves:
    return BudgetCurves(
        curves={curve.sampler: tuple(curve.points) for curve in measured},
        budgets=tuple(budgets),
        boxes_proposed=_proposed(measured),
        model=segmenter.name,
        device=segmenter.device_description,
    )


@dataclass
class _Curve:
    """A curve while it is measured.

    Args:
        sampler, budgets: what it is of.
        rounds, steps: of the one run that all points share; None where each point is a run of its own.
        parts: what that run gave so far.
        points: measured so far.
        done: prompts that count as done for the progress bar.
        is_stopped: whether its last run was.
    """

    sampler: str
    budgets: tuple[int, ...]
    rounds: _RoundsByBudget | None = None
    steps: Generator[Progress | PartialMasks, None, SegmentationResult] | None = None
    parts: list[PartialMasks] = field(default_factory=list)
    points: list[BudgetPoint] = field(default_factory=list)
    done: int = 0
    is_stopped: bool = False

    def total(self, proposed: int | None) -> int:
        """Prompts at most, where the detector proposed so many boxes."""
        kind = SAMPLERS[self.sampler]
        if kind.is_square:
            return sum(math.isqrt(budget) ** 2 for budget in self.budgets)
        return self.budgets[-1] if kind.is_adaptive or proposed is None else proposed


def _proposed(measured: Sequence[_Curve]) -> int | None:
    """Boxes that the detector proposed; None where none was asked, or not yet."""
    known = (curve.rounds.boxes for curve in measured if curve.rounds is not None)
    return next((boxes for boxes in known if boxes is not None), None)


def _progress(measured: Sequence[_Curve]) -> Progress:
    proposed = _proposed(measured)
    done = sum(curve.done for curve in measured)
    return Progress("decode", done, sum(curve.total(proposed) for curve in measured))


def _whole(
    curve: _Curve,
    budget: int,
    steps: Generator[Progress | PartialMasks, None, SegmentationResult],
    measured: Sequence[_Curve],
) -> Generator[Progress, None, BudgetPoint | None]:
    """A point that is a run of its own; None if it was stopped."""
    before = curve.done
    with closing(steps):
        while True:
            try:
                item = next(steps)
            except StopIteration as end:
                found: SegmentationResult = end.value
                break
            if isinstance(item, Progress) and item.stage == "decode":
                curve.done = before + item.done
                yield _progress(measured)
    curve.is_stopped = not found.is_complete
    if curve.is_stopped:
        return None
    curve.done = before + math.isqrt(budget) ** 2
    return _point(curve.sampler, budget, found)


def _further(
    curve: _Curve,
    budget: int,
    steps: Generator[Progress | PartialMasks, None, SegmentationResult],
    measured: Sequence[_Curve],
) -> Generator[Progress, None, BudgetPoint | None]:
    """The next point of a run that goes on where it paused; None if it was stopped, or had no more to ask."""
    known = len(curve.parts)
    while not (len(curve.parts) > known and curve.parts[-1].done == budget):
        try:
            item = next(steps)
        except StopIteration as end:
            if end.value is not None:  # not at an end before
                curve.is_stopped = not end.value.is_complete
            if not curve.is_stopped:
                curve.done = curve.total(_proposed(measured))
            break
        if isinstance(item, PartialMasks):
            curve.parts.append(item)
        elif item.stage == "decode":
            curve.done = item.done
            yield _progress(measured)
    if curve.is_stopped or len(curve.parts) == known:
        return None
    return _point(curve.sampler, budget, SegmentationResult.of_partial(curve.parts))


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
class _RoundsByBudget:
    """What `sampler` asks, in rounds that end at each budget. Serves one run, then knows how many boxes came first."""

    sampler: Sampler
    budgets: Sequence[int]
    boxes: int | None = None

    @property
    def name(self) -> str:
        return self.sampler.name

    @property
    def filters(self) -> MaskFilters:
        return self.sampler.filters

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        rounds = self.sampler.rounds(picture)
        asked, answer = 0, None
        while True:
            try:
                prompts = next(rounds) if answer is None else rounds.send(answer)
            except StopIteration:
                return
            self.boxes = len(prompts) if self.boxes is None else self.boxes
            ends = [budget - asked for budget in self.budgets if 0 < budget - asked < len(prompts)]
            answers = [Masks.empty((picture.shape[0], picture.shape[1]))]
            for low, high in pairwise((0, *ends, len(prompts)) if len(prompts) else ()):
                masks = yield prompts[low:high]
                answers.append(replace(masks, prompt_index=masks.prompt_index + low))
            answer, asked = Masks.concatenate(answers), asked + len(prompts)
