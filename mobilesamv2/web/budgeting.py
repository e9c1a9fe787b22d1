"""What *Prompt budget* does: both curves of a photo from one encoding. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict, dataclass

from ..comparison.budget import BudgetCurves, BudgetPoint, budget_steps, budgets_up_to
from ..comparison.report import budget_verdict
from ..progress import Progress
from ..stored import StoredEmbedding
from ..types import Picture
from .encoding import encoded
from .models import Models
from .segmenting import Summary
from .steps import HasStage, Step
from .visits import Visit, keeping

BudgetRun = Callable[..., Generator[Progress | StoredEmbedding | BudgetPoint | BudgetCurves, None, None]]
"""`run_budget` without its models, perhaps sent to a GPU."""


@dataclass(frozen=True)
class BudgetView:
    """The curves as far as they are measured.

    Args:
        points: every point, in the order measured.
        summary: the numbers at the end; None before.
    """

    points: tuple[BudgetPoint, ...]
    summary: Summary | None = None


def run_budget(
    models: Models, picture: Picture, stored: StoredEmbedding | None, largest: int, model: str
) -> Generator[Progress | StoredEmbedding | BudgetPoint | BudgetCurves, None, None]:
    """Measure the curves of `picture`: progress and points, then the curves as the last item."""
    segmenter = models.get(model)
    budgets = budgets_up_to(largest)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from budget_steps(segmenter, picture, budgets=budgets, embedding=embedding))


def prompts_of_budget(picture: Picture, stored: StoredEmbedding | None, largest: int, model: str) -> int:
    """How many prompts `run_budget` will ask at the most."""
    return largest + sum(math.isqrt(budget) ** 2 for budget in budgets_up_to(largest))


def budget(
    visit: Visit, photo: str | None, largest: int, model: str, *, run: BudgetRun
) -> Generator[HasStage | BudgetView, None, None]:
    """What *Prompt budget* does: steps, and a view for each point; the last one has a summary.

    Args:
        visit: of the one who asks; the embedding of their photo is taken from it, or kept there.
        photo: path of the file as it was uploaded, unread.
        largest: the budget to end with.
        run: `run_budget` with its models, perhaps sent to a GPU.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Step("read")
    picture = visit.picture(visit.seen(photo))
    points: tuple[BudgetPoint, ...] = ()
    with closing(
        keeping(visit, model, picture, run(picture, visit.embedding(model), largest, model))
    ) as steps:
        for item in steps:
            if isinstance(item, BudgetPoint):
                points = (*points, item)
                yield BudgetView(points)
            elif isinstance(item, BudgetCurves):
                yield BudgetView(points, summary_of_curves(item, picture))
            else:
                yield item


def summary_of_curves(found: BudgetCurves, picture: Picture) -> Summary:
    """The curves, ready for JSON."""

    def told(point: BudgetPoint) -> Summary:
        values = asdict(point)
        return values | {
            "coverage": round(point.coverage, 5),
            "decode_seconds": round(point.decode_seconds, 4),
        }

    return {
        "model": found.model,
        "device": found.device,
        "picture_size": [picture.shape[1], picture.shape[0]],
        "budgets": list(found.budgets),
        "boxes_proposed": found.boxes_proposed,
        "boxes_ran_out": found.boxes_ran_out,
        "object_aware": [told(point) for point in found.object_aware],
        "grid": [told(point) for point in found.grid],
        "verdict": budget_verdict(found),
    }
