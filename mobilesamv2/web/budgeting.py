"""What *Prompt budget* asks and says: the curves of a photo from one encoding. No components."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from ..comparison.budget import USUAL_SAMPLERS, BudgetCurves, BudgetPoint, budget_steps, budgets_up_to
from ..comparison.report import budget_verdict
from ..formatting import count, number, percent, seconds, unbroken
from ..images import ReadImage
from ..sampler_kinds import SAMPLERS
from ..segmenter import Embedding, Segmenter
from .text.curves import Line, chart
from .text.tables import Row, table

IDLE = "The curves grow as they are measured: what the first 16 prompts bring, then 32, and so on."


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


class _Panel(NamedTuple):
    title: str
    value: Callable[[BudgetPoint], float]
    told: Callable[[float], str]
    top: float | None = None
    whole: bool = False


_PANELS = (
    _Panel("Masks kept", lambda point: point.masks, lambda value: number(round(value)), whole=True),
    _Panel("Photo covered", lambda point: point.coverage, percent, top=1.0),
    _Panel("Decoder time", lambda point: point.decode_seconds, seconds),
)


def largest_choices(budgets: Sequence[int]) -> list[tuple[str, int]]:
    """What the curves can end at."""
    return [(f"{number(budget)} prompts", budget) for budget in budgets]


def curves(points: Sequence[BudgetPoint], budgets: Sequence[int], *, samplers: Sequence[str] = USUAL_SAMPLERS) -> str:
    """The curves as far as they are measured: masks, coverage and decoder seconds against prompts."""
    charts = ""
    for panel in _PANELS:
        lines = [
            Line(
                sampler,
                SAMPLERS[sampler].title,
                [(point.prompts, panel.value(point)) for point in points if point.sampler == sampler],
            )
            for sampler in samplers
        ]
        charts += chart(panel.title, lines, ticks=budgets, told=panel.told, top=panel.top, whole=panel.whole)
    legend = "".join(f'<span class="{sampler}">{SAMPLERS[sampler].title}</span>' for sampler in samplers)
    legend += "<small>against the prompts asked; each step doubles them</small>"
    return f'<div class="charts"><p class="chart-legend">{legend}</p>{charts}</div>'


def points_table(
    points: Sequence[BudgetPoint],
    budgets: Sequence[int],
    *,
    samplers: Sequence[str] = USUAL_SAMPLERS,
    summary: dict[str, Any] | None = None,
) -> str:
    """Every point in figures, a row for each budget; a dash where there is none.

    Args:
        summary: the numbers at the end; None before.
    """
    tables = ""
    for sampler in samplers:
        kind = SAMPLERS[sampler]
        measured = {point.budget: point for point in points if point.sampler == sampler}
        rows: list[Row] = [(number(budget), _cells(measured.get(budget))) for budget in budgets]
        head = ("Budget", kind.noun[1].capitalize(), "Masks", "Covered", "Decoder")
        tables += table(head, rows, kind=sampler, caption=kind.title)
    note = "" if summary is None else f'<p class="note">{escape(_note(summary))}</p>'
    return f'<div class="outcome"><div class="points">{tables}</div>{note}</div>'


def outcome(summary: dict[str, Any]) -> str:
    """What the curves show, in one sentence."""
    return f'<div class="outcome"><p class="verdict" role="status">{escape(unbroken(summary["verdict"]))}</p></div>'


def _note(summary: dict[str, Any]) -> str:
    """What the curves were measured on, and why one of them ends early."""
    where = f"One encoding served all of it, by {summary['model']} on {summary['device']}."
    if not summary["boxes_ran_out"]:
        return where  # also where no sampler has boxes
    if not summary["boxes_proposed"]:
        return f"The detector proposed no box above its confidence threshold, so there is no curve of boxes. {where}"
    proposed = count(summary["boxes_proposed"], "box", "boxes")
    return f"The curve of boxes ends at {proposed}: the detector is confident of no more. {where}"


def _cells(point: BudgetPoint | None) -> Sequence[str]:
    if point is None:
        return ["–"] * 4
    return number(point.prompts), number(point.masks), percent(point.coverage), seconds(point.decode_seconds)
