"""What *Prompt budget* runs: both curves of a photo from one encoding. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any

from ..comparison.budget import BudgetCurves, BudgetPoint, budget_steps, budgets_up_to
from ..comparison.report import budget_verdict
from ..progress import Progress
from ..stored import StoredEmbedding
from ..types import Picture
from .encoding import encoded
from .models import Models


def run_budget(
    models: Models, picture: Picture, stored: StoredEmbedding | None, largest: int, model: str
) -> Generator[Progress | StoredEmbedding | BudgetPoint | BudgetCurves, None, None]:
    """Measure the curves of `picture` up to a budget: progress and points, then the curves as the last item."""
    segmenter = models.get(model)
    budgets = budgets_up_to(largest)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from budget_steps(segmenter, picture, budgets=budgets, embedding=embedding))


def prompts_of_budget(picture: Picture, stored: StoredEmbedding | None, largest: int, model: str) -> int:
    """How many prompts `run_budget` will ask at the most."""
    return largest + sum(math.isqrt(budget) ** 2 for budget in budgets_up_to(largest))


def summary_of(found: BudgetCurves) -> dict[str, Any]:
    """The curves and a sentence on them, ready for JSON."""
    return found.to_record() | {"verdict": budget_verdict(found)}
