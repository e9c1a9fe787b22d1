"""What *Prompt budget* runs: the curves of a photo from one encoding. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from ..comparison.budget import USUAL_SAMPLERS, BudgetCurves, budget_steps, budgets_up_to
from ..comparison.report import budget_verdict
from ..images import ReadImage
from ..sampler_kinds import SAMPLERS
from ..segmenter import Embedding, Segmenter


@dataclass(frozen=True)
class BudgetRequest:
    """Which samplers are measured, and up to how many prompts."""

    largest: int
    samplers: tuple[str, ...] = USUAL_SAMPLERS

    @property
    def prompts_at_most(self) -> int:
        """How many prompts all curves take."""
        of_grids = sum(math.isqrt(budget) ** 2 for budget in budgets_up_to(self.largest))
        return sum(of_grids if SAMPLERS[name].is_square else self.largest for name in self.samplers)

    def steps(
        self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding
    ) -> Generator[Any, None, BudgetCurves]:
        """Progress, each point as it is measured, and the curves."""
        budgets = budgets_up_to(self.largest)
        return budget_steps(segmenter, picture, samplers=self.samplers, budgets=budgets, embedding=embedding)


def summary_of(found: BudgetCurves) -> dict[str, Any]:
    """The curves and a sentence on them, ready for JSON."""
    return found.to_record() | {"verdict": budget_verdict(found)}
