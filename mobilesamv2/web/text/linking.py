"""Sentences of the link to these settings."""

from __future__ import annotations

from collections.abc import Sequence

from ...formatting import count

BUTTON = "Link to these settings"
COPIED = "Link copied"
IN_ADDRESS = "The address of this page is the link"
REST_TAKEN = "What the address says besides is taken."


def not_a_choice(name: str, given: str, choices: Sequence[str]) -> str:
    offered = ", ".join(choices[:6]) + (", …" if len(choices) > 6 else "")
    return f"{name} in the address must be one of {offered}; {_short(given)} is left out."


def not_a_number(name: str, given: str, low: float, high: float, *, is_whole: bool) -> str:
    kind = "a whole number" if is_whole else "a number"
    return f"{name} in the address must be {kind} from {low:g} to {high:g}; {_short(given)} is left out."


def not_yes_or_no(name: str, given: str) -> str:
    return f"{name} in the address must be true or false; {_short(given)} is left out."


def and_more(number: int) -> str:
    return f"{count(number, 'further value')} {'is' if number == 1 else 'are'} left out too."


def _short(given: str) -> str:
    return f'"{given[:30]}{"…" if len(given) > 30 else ""}"'
