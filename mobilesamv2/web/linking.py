"""Settings of the page in the query of its address: read and checked, with a sentence for each wrong one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .text import linking as text

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_MOST_TOLD = 3


@dataclass(frozen=True)
class Setting:
    """One setting that an address may name.

    Args:
        name: in the address.
        choices: values it may have; None for a number or a yes or no.
        is_list: whether it may have several of them, with commas between them.
        low, high: of a number; None for no number.
        is_whole: whether the number has no fraction.
    """

    name: str
    choices: tuple[str, ...] | None = None
    is_list: bool = False
    low: float | None = None
    high: float | None = None
    is_whole: bool = False

    def read(self, given: str) -> str | float | int | bool | list[str]:
        """The value that a text of the address stands for.

        Raises:
            ValueError: with a sentence, if it is none.
        """
        if self.choices is not None:
            chosen = given.split(",") if self.is_list else [given]
            if not set(chosen) <= set(self.choices):
                raise ValueError(text.not_a_choice(self.name, given, self.choices))
            return chosen if self.is_list else given
        if self.low is None or self.high is None:
            if given.lower() in _TRUE + _FALSE:
                return given.lower() in _TRUE
            raise ValueError(text.not_yes_or_no(self.name, given))
        try:
            number = float(given)
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high or (self.is_whole and number != int(number)):
            raise ValueError(text.not_a_number(self.name, given, self.low, self.high, is_whole=self.is_whole))
        return int(number) if self.is_whole else number


def read_query(query: Mapping[str, str], settings: Sequence[Setting]) -> tuple[dict[str, Any], str | None]:
    """The settings that an address names.

    Args:
        query: names and texts; names of no setting are passed over.

    Returns:
        values by name, of those that make sense; and what is wrong with the others in a few sentences, or None.
    """
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for setting in settings:
        if setting.name in query:
            try:
                values[setting.name] = setting.read(query[setting.name])
            except ValueError as error:
                wrong.append(str(error))
    if not wrong:
        return values, None
    more = len(wrong) - _MOST_TOLD
    told = wrong[:_MOST_TOLD] + ([text.and_more(more)] if more > 0 else [])
    return values, " ".join([*told, text.REST_TAKEN])
