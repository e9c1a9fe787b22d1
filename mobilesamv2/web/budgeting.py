"""What *Prompt budget* runs: the curves of a photo from one encoding. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from ..comparison.budget import USUAL_SAMPLERS, BudgetCurves, BudgetPoint, budget_steps, budgets_up_to
from ..comparison.report import budget_verdict
from ..images import ReadImage
from ..progress import Progress
from ..sampler_kinds import SAMPLERS
from ..stored import StoredEmbedding
from .encoding import encoded
from .models import Models


@dataclass(frozen=True)
class BudgetRequest:
    """Which samplers are measured, and up to how many prompts."""

    largest: int
    samplers: tuple[str, ...] = USUAL_SAMPLERS


def run_budget(
    models: Models, picture: ReadImage, stored: StoredEmbedding | None, asked: BudgetRequest, model: str
) -> Generator[Progress | StoredEmbedding | BudgetPoint | BudgetCurves, None, None]:
    """Measure the curves of `picture` up to a budget: progress and points, then the curves as the last item."""
    segmenter = models.get(model)
    budgets = budgets_up_to(asked.largest)
    embedding = yield from encoded(segmenter, picture, stored)
    steps = budget_steps(segmenter, picture, samplers=asked.samplers, budgets=budgets, embedding=embedding)
    yield (yield from steps)


def prompts_of_budget(picture: ReadImage, stored: StoredEmbedding | None, asked: BudgetRequest, model: str) -> int:
    """How many prompts `run_budget` will ask at the most."""
    of_grids = sum(math.isqrt(budget) ** 2 for budget in budgets_up_to(asked.largest))
    return sum(of_grids if SAMPLERS[name].is_square else asked.largest for name in asked.samplers)


def summary_of(found: BudgetCurves) -> dict[str, Any]:
    """The curves and a sentence on them, ready for JSON."""
    return found.to_record() | {"verdict": budget_verdict(found)}
