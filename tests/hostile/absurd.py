"""Absurd values for every input of every endpoint, whatever these are."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .client import FILE

VALUES = {
    "NaN": float("nan"),
    "10⁴⁰⁰": 10**400,
    "true": True,
    '""': "",
    "a path after a null character": "\0../../etc/passwd",
    "{}": {},
    "lists in lists": [[[[]]]],
    "a file that was not uploaded": {"path": "/etc/passwd", **FILE},
}
"""What an input is sent, by what the table calls it."""


def summary(outcomes: Mapping[str, str]) -> str:
    """One cell of a table: what happened, to which of the values."""
    cells: dict[str, list[str]] = {}
    for what, outcome in outcomes.items():
        told = re.sub(r"(There is no \w+ )'.*?'(?=[.;])", r"\1…", outcome).partition("; got ")[0]
        cells.setdefault(told.removesuffix("."), []).append(what)
    return ". ".join(f"{', '.join(members)}: {told}" for told, members in cells.items())
