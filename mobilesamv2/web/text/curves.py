"""Small line charts as HTML: lines stretch with their box, words keep their size. Knows nothing of what they show."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from ...formatting import number


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        kind: its CSS class.
        name: what it stands for.
        points: x and y, x rising and above 0, y not below 0.
    """

    kind: str
    name: str
    points: tuple[tuple[float, float], ...]


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    ticks: Sequence[int],
    told: Callable[[float], str],
    top: float | None = None,
    whole: bool = False,
) -> str:
    """Lines over a logarithmic x axis and a y axis from 0, for eyes and, in a sentence, for ears.

    Args:
        ticks: numbers along the x axis, rising and above 0, at least one.
        told: a value of y as text.
        top: of the y axis; None: the next round number above all values.
        whole: values are counts, so the y axis has no fractions.
    """
    values = [y for line in lines for _, y in line.points]
    heights = rounds_up_to(max(values, default=0) if top is None else top, whole=whole)
    low = min([ticks[0], *(x for line in lines for x, _ in line.points)])
    width = math.log(ticks[-1] / low) or 1.0

    def across(x: float) -> float:
        return 100 * math.log(x / low) / width

    def up(y: float) -> float:
        return 100 * y / heights[-1]

    drawn, dots = "", ""
    for line in lines:
        places = [(across(x), up(y)) for x, y in line.points]
        path = " ".join(f"{x:.2f},{100 - y:.2f}" for x, y in places)
        drawn += f'<polyline class="{line.kind}" points="{path}"/>'
        for (x, y), (asked, value) in zip(places, line.points, strict=True):
            tip = escape(f"{line.name}, {number(round(asked))} asked: {told(value)}")
            dots += f'<i class="dot {line.kind}" style="left:{x:.2f}%;bottom:{y:.2f}%" title="{tip}"></i>'
    rules = "".join(f'<line x1="0" x2="100" y1="{100 - up(y):.2f}" y2="{100 - up(y):.2f}"/>' for y in heights)
    marks = "".join(
        f'<span class="y" style="bottom:{up(y):.2f}%">{escape(_short(told(y)))}</span>' for y in heights
    )
    marks += "".join(f'<span class="x" style="left:{across(x):.2f}%">{number(x)}</span>' for x in ticks)
    ends = "".join(
        f'<span class="{line.kind}">{escape(told(line.points[-1][1]))}</span>'
        for line in lines
        if line.points
    )
    return (
        f'<div class="chart" role="img" aria-label="{escape(_spoken(title, lines, told))}">'
        f'<p class="chart-title"><b>{escape(title)}</b>{ends}</p><div class="plot">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{rules}{drawn}</svg>'
        f"{marks}{dots}</div></div>"
    )


def rounds_up_to(value: float, *, whole: bool = False) -> list[float]:
    """Round numbers from 0 to the first that is not below `value`: two to six of them, evenly spaced.

    Args:
        whole: no fractions.
    """
    if value <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(value / 5))
    step = next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit * 5 >= value * (1 - 1e-9))
    step = max(1.0, float(round(step))) if whole else step
    count = max(1, math.ceil(value / step * (1 - 1e-9)))
    return [step * index for index in range(count + 1)]


def _short(told: str) -> str:
    """A round number without zeros after its point: "2 s" for "2.00 s"."""
    return re.sub(r"\.0+(?!\d)|(?<=\.\d)0+(?!\d)", "", told)


def _spoken(title: str, lines: Sequence[Line], told: Callable[[float], str]) -> str:
    ends = (
        f"{line.name}: {told(line.points[-1][1])} at {number(round(line.points[-1][0]))}"
        for line in lines
        if line.points
    )
    return f"{title} against prompts asked. {'; '.join(ends) or 'Nothing measured yet'}. The table has every point."
