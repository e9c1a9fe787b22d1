"""Rows as aligned text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Align rows of equal keys under their names: text to the left, numbers to the right.

    Returns:
        A line for the names and one for each row; nothing for no rows. Floats have three digits.
    """
    if not rows:
        return ""
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        cells = [name.replace("_", " "), *map(_text, values)]
        width = max(map(len, cells))
        left = all(isinstance(value, str) for value in values)
        columns.append([cell.ljust(width) if left else cell.rjust(width) for cell in cells])
    return "\n".join("  ".join(line).rstrip() for line in zip(*columns, strict=True))


def _text(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
