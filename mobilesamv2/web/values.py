"""Kinds of values that inputs take, from the page, a program or the query of an address, with a sentence for others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..formatting import count

_YES_OR_NO = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_MOST_CHOICES = 6
_MOST_TOLD = 3
_REST_TAKEN = "What the address says besides is taken."


@dataclass(frozen=True)
class ValueKind:
    """What one input takes; by default true or false.

    Args:
        name: of the input.
        choices: values it may have.
        is_list: whether it may have several of them; with commas between them in an address.
        low, high: of a number.
        is_whole: whether the number has no fraction.
        is_text: any text.
    """

    name: str
    choices: Sequence[str | int | float] | None = None
    is_list: bool = False
    low: float | None = None
    high: float | None = None
    is_whole: bool = False
    is_text: bool = False

    def takes(self, value: object) -> bool:
        """Whether a value is of this kind."""
        if self.choices is not None:
            given = value if self.is_list and isinstance(value, list) else [value]
            return all(isinstance(each, (str, int, float)) and each in self.choices for each in given)
        if self.low is not None and self.high is not None:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return False
            return self.low <= value <= self.high and (not self.is_whole or value == int(value))
        return isinstance(value, str if self.is_text else bool)

    def expected(self, *, most: int | None = None) -> str:
        """What it takes, for a sentence; at most so many of its choices."""
        if self.choices is not None:
            rest = ", …" if most is not None and len(self.choices) > most else ""
            return f"one of {', '.join(map(str, self.choices[:most]))}{rest}"
        if self.low is not None and self.high is not None:
            return f"a {'whole ' if self.is_whole else ''}number from {self.low:g} to {self.high:g}"
        return "a text" if self.is_text else "true or false"

    def read(self, given: str) -> Any:
        """The value that a text of an address stands for; None where it is none."""
        value: Any = given
        if self.choices is not None:
            value = given.split(",") if self.is_list else given
        elif self.low is not None:
            try:
                value = float(given)
            except ValueError:
                value = math.nan
            value = int(value) if self.is_whole and value.is_integer() else value
        elif not self.is_text:
            value = _YES_OR_NO.get(given.lower())
        return value if self.takes(value) else None


def read_query(query: Mapping[str, str], settings: Sequence[ValueKind]) -> tuple[dict[str, Any], str | None]:
    """The settings that an address names.

    Args:
        query: names and texts; names of no setting are passed over.

    Returns:
        values by name, of those that make sense; and what is wrong with the others in a few sentences, or None.
    """
    named = [kind for kind in settings if kind.name in query]
    values = {kind.name: kind.read(query[kind.name]) for kind in named}
    wrong = [_wrong(kind, query[kind.name]) for kind in named if values[kind.name] is None]
    if (more := len(wrong) - _MOST_TOLD) > 0:
        wrong[_MOST_TOLD:] = [f"{count(more, 'further value')} {'is' if more == 1 else 'are'} left out too."]
    told = " ".join([*wrong, _REST_TAKEN]) if wrong else None
    return {name: value for name, value in values.items() if value is not None}, told


def _wrong(kind: ValueKind, given: str) -> str:
    short = f'"{given[:30]}{"…" if len(given) > 30 else ""}"'
    return f"{kind.name} in the address must be {kind.expected(most=_MOST_CHOICES)}; {short} is left out."
