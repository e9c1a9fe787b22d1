"""Numbers as people read them: with units, and with as many digits as they deserve."""

from __future__ import annotations

import re


def number(value: int) -> str:
    """An integer with thousands apart: 1,024."""
    return f"{value:,}"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """A number with its noun: "1 box", "1,024 points"."""
    return f"{number(value)} {singular if value == 1 else plural or singular + 's'}"


def seconds(value: float) -> str:
    """Seconds with as many digits as they deserve: 12.3 s, 1.24 s, 35 ms."""
    if value >= 10:
        return f"{value:.1f} s"
    if value >= 0.995:
        return f"{value:.2f} s"
    return f"{value * 1000:.0f} ms"


def times(value: float) -> str:
    """A ratio with two or three digits: 1.4 times, 12 times."""
    return f"{value:.1f} times" if value < 9.95 else f"{value:.0f} times"


def percent(share: float) -> str:
    """A share of 0 to 1 in percent: 0 %, under 0.1 %, 0.4 %, 61 %, 99.6 %; only all of it is 100 %."""
    value = 100 * share
    if value <= 0 or value >= 100:
        return f"{value:.0f} %"
    if value < 0.1:
        return "under 0.1 %"
    if value > 99.9:
        return "over 99.9 %"
    return f"{value:.1f} %" if value < 0.95 or value > 99 else f"{value:.0f} %"


def data_size(count: int) -> str:
    """Bytes as people read them, a thousand to the kilobyte: 512 bytes, 7 kB, 6.7 MB, 41 MB, 2.6 GB."""
    if count < 1000:
        return f"{count} byte{'' if count == 1 else 's'}"
    value, unit = count / 1e9, "GB"
    if count < 999.5e3:
        value, unit = count / 1e3, "kB"
    elif count < 999.5e6:
        value, unit = count / 1e6, "MB"
    return f"{value:.1f} {unit}" if value < 9.95 and unit != "kB" else f"{value:.0f} {unit}"


def unbroken(sentence: str) -> str:
    """The same with spaces that do not break between a number and its unit: "12 %", "1.20 s", "16 × 16"."""
    return re.sub(r"(?<=\d) (?=(?:%|m?s|×)(?!\w))|(?<=×) (?=\d)", "\N{NO-BREAK SPACE}", sentence)
