"""Sentences, curves and the table of *Prompt budget*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from ...comparison.budget import BudgetPoint
from ...formatting import count, number, percent, seconds, unbroken
from .curves import Line, chart

IDLE = "The curves grow as they are measured: what the first 16 prompts bring, then 32, and so on."
RUN_LABEL = "Measure"
LARGEST_LABEL = "Up to"
LARGEST_INFO = (
    "Boxes are decoded once for all budgets; every grid is decoded anew, the largest takes longest."
)
NAMES = {"object-aware": ("aware", "Object-aware"), "grid": ("grid", "Grid search")}
_NOUNS = {"object-aware": "Boxes", "grid": "Points"}
_Value = Callable[[BudgetPoint], float]
_PANELS: tuple[tuple[str, _Value, Callable[[float], str], float | None, bool], ...] = (
    ("Masks kept", lambda point: point.masks, lambda value: number(round(value)), None, True),
    ("Photo covered", lambda point: point.coverage, percent, 1.0, False),
    ("Decoder time", lambda point: point.decode_seconds, seconds, None, False),
)
"""Title, value, the value as text, top of the y axis (None: what there is), whether values are counts."""


def largest_choices(budgets: Sequence[int]) -> list[tuple[str, int]]:
    """What the curves can end at."""
    return [(f"{number(budget)} prompts", budget) for budget in budgets]


def curves(points: Sequence[BudgetPoint], budgets: Sequence[int]) -> str:
    """The curves as far as they are measured: masks, coverage and decoder seconds against prompts."""
    panels = "".join(
        chart(
            title,
            [
                Line(kind, name, tuple((point.prompts, value(point)) for point in _of(points, sampler)))
                for sampler, (kind, name) in NAMES.items()
            ],
            ticks=budgets,
            told=told,
            top=top,
            whole=whole,
        )
        for title, value, told, top, whole in _PANELS
    )
    legend = "".join(f'<span class="{kind}">{name}</span>' for kind, name in NAMES.values())
    return (
        f'<div class="charts"><p class="chart-legend">{legend}<small>against the prompts asked; each step '
        f"doubles them</small></p>{panels}</div>"
    )


def table(
    points: Sequence[BudgetPoint], budgets: Sequence[int], *, summary: dict[str, Any] | None = None
) -> str:
    """Every point in figures, a row for each budget; a dash where there is none.

    Args:
        summary: the numbers at the end; None before.
    """
    tables = ""
    for sampler, (kind, name) in NAMES.items():
        names = ("Budget", _NOUNS[sampler], "Masks", "Covered", "Decoder")
        head = "".join(f'<th scope="col">{column}</th>' for column in names)
        found = {point.budget: point for point in _of(points, sampler)}
        rows = ""
        for budget in budgets:
            cells = "".join(f"<td>{cell}</td>" for cell in _cells(found.get(budget)))
            rows += f'<tr><th scope="row">{number(budget)}</th>{cells}</tr>'
        tables += (
            f'<table class="{kind}"><caption>{name}</caption><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    note = "" if summary is None else f'<p class="note">{escape(_note(summary))}</p>'
    return f'<div class="outcome"><div class="points">{tables}</div>{note}</div>'


def outcome(summary: dict[str, Any]) -> str:
    """What the curves show, in one sentence."""
    return f'<div class="outcome"><p class="verdict" role="status">{escape(unbroken(summary["verdict"]))}</p></div>'


def _note(summary: dict[str, Any]) -> str:
    """What the curves were measured on, and why one of them ends early."""
    where = f"One encoding served all of it, by {summary['model']} on {summary['device']}."
    if not summary["boxes_ran_out"]:
        return where
    proposed = count(summary["boxes_proposed"], "box", "boxes")
    if not summary["boxes_proposed"]:
        return f"The detector proposed no box above its confidence threshold, so there is no curve of boxes. {where}"
    return f"The curve of boxes ends at {proposed}: the detector is confident of no more. {where}"


def _of(points: Sequence[BudgetPoint], sampler: str) -> list[BudgetPoint]:
    return [point for point in points if point.sampler == sampler]


def _cells(point: BudgetPoint | None) -> tuple[str, str, str, str]:
    if point is None:
        return "–", "–", "–", "–"
    return (
        number(point.prompts),
        number(point.masks),
        percent(point.coverage),
        seconds(point.decode_seconds),
    )
