"""Numbers as HTML: large ones in a row, tables, the name of each row first, and seconds of stages as a bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ...formatting import seconds
from .page import STAGE_NAMES

Row = tuple[str, Sequence[str]]
"""The name of a row, and its other cells, ready as HTML."""


def table(
    head: Sequence[str],
    rows: Iterable[Row],
    *,
    kind: str = "",
    kinds: Sequence[str] = (),
    caption: str = "",
) -> str:
    """A table with a row for each name.

    Args:
        head: what the columns are called, the names of the rows first. It is for ears only where it ends with "*".
        kind: the CSS class of the table.
        kinds: those of the names, where they have one.
        caption: above the table, none by default.
    """
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    columns = "".join(f'<th scope="col">{_column(name)}</th>' for name in head)
    body = ""
    for index, (name, cells) in enumerate(rows):
        of_kind = f' class="{kinds[index]}"' if kinds else ""
        body += f'<tr><th scope="row"{of_kind}>{escape(name)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells)
        body += "</tr>"
    return f'<table class="{kind}">{above}<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table>'


def tiles(facts: Iterable[tuple[str, str]]) -> str:
    """A few large numbers in a row, each before its name."""
    each = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in facts)
    return f'<dl class="facts">{each}</dl>'


def _column(name: str) -> str:
    return f'<span class="sr-only">{escape(name[:-1])}</span>' if name.endswith("*") else escape(name)


def stage_bar(stages: dict[str, float]) -> str:
    """Seconds per stage as one bar of shares and a legend that names each."""
    total = sum(stages.values()) or 1.0
    shares, legend = "", ""
    for stage, value in stages.items():
        shares += f'<i class="stage-{escape(stage)}" style="flex-grow:{value / total:.5f}"></i>'
        legend += (
            f'<li><i class="stage-{escape(stage)}"></i>{escape(STAGE_NAMES.get(stage, stage))} '
            f"<b>{seconds(value)}</b></li>"
        )
    return f'<div class="stages"><div class="bar" aria-hidden="true">{shares}</div><ul>{legend}</ul></div>'
