"""Small line charts as HTML: lines stretch with their box, words keep their size. Knows nothing of what they show.

Gradio's `LinePlot` has no axis on which each doubling is one step, no values as people read them ("40 %", "1.2 s"), and
no sentence for those who do not see it.
"""

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
    points: Sequence[tuple[float, float]]


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
    points = [point for line in lines for point in line.points]
    heights = rounds_up_to(max((y for _, y in points), default=0) if top is None else top, whole=whole)
    low = min([ticks[0], *(x for x, _ in points)])
    width = math.log(ticks[-1] / low) or 1.0

    def across(x: float) -> str:
        return f"{100 * math.log(x / low) / width:.2f}"

    def up(y: float) -> str:
        return f"{100 * y / heights[-1]:.2f}"

    def down(y: float) -> str:
        return f"{100 - 100 * y / heights[-1]:.2f}"

    drawn = "".join(f'<line x1="0" x2="100" y1="{down(y)}" y2="{down(y)}"/>' for y in heights)
    around = "".join(f'<span class="y" style="bottom:{up(y)}%">{escape(_short(told(y)))}</span>' for y in heights)
    around += "".join(f'<span class="x" style="left:{across(x)}%">{number(x)}</span>' for x in ticks)
    ends, spoken = "", []
    for line in lines:
        path = " ".join(f"{across(x)},{down(y)}" for x, y in line.points)
        drawn += f'<polyline class="{line.kind}" points="{path}"/>'
        for x, y in line.points:
            tip = escape(f"{line.name}, {number(round(x))} asked: {told(y)}")
            around += f'<i class="dot {line.kind}" style="left:{across(x)}%;bottom:{up(y)}%" title="{tip}"></i>'
        if line.points:
            asked, value = line.points[-1]
            ends += f'<span class="{line.kind}">{escape(told(value))}</span>'
            spoken.append(f"{line.name}: {told(value)} at {number(round(asked))}")
    measured = "; ".join(spoken) or "Nothing measured yet"
    sentence = f"{title} against prompts asked. {measured}. The table has every point."
    return (
        f'<div class="chart" role="img" aria-label="{escape(sentence)}"><p><b>{escape(title)}</b>{ends}</p>'
        '<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
        f"{drawn}</svg>{around}</div></div>"
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
