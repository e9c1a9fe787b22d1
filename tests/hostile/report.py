"""The table of hostile inputs as Markdown, between two marks of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from .table import Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- hostile -->\n", "<!-- end -->"


def with_table(text: str, rows: Sequence[Row]) -> str:
    """A document with these rows between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The document has no place for the table: {BEGIN}{END}.")
    return before + BEGIN + "\n".join(_lines(rows)) + "\n" + END + after


def _lines(rows: Sequence[Row]) -> list[str]:
    lines = []
    for group, members in groupby(rows, key=lambda row: row.group):
        each = list(members)
        in_both = any(row.terminal for row in each)
        head = (
            "| input | page and API | command line |\n|---|---|---|"
            if in_both
            else "| input | what happened |\n|---|---|"
        )
        lines += [f"\n### {group}\n", head]
        for row in each:
            same = "the same" if row.terminal == row.page else row.terminal
            lines.append(f"| {row.what} | {row.page} |" + (f" {same} |" if in_both else ""))
    return lines
