"""Draws the plots of the report on evaluation as SVG, the same for the same results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from mobilesamv2.evaluate.objects import FATES

Rows = Sequence[Mapping[str, Any]]
COLOURS = ("#0f766e", "#b45309", "#4338ca", "#be123c", "#4d7c0f")
FATE_COLOURS = ("#0f766e", "#b45309", "#a8a29e", "#44403c")
LEGEND = {"fontsize": 7, "loc": "upper center", "bbox_to_anchor": (0.5, -0.2), "ncols": 2}
"""Below the axes: finding the best place takes matplotlib longer than all the rest."""
STYLE: dict[Any, Any] = {"svg.hashsalt": "mobilesamv2", "svg.fonttype": "none", "font.size": 9.0}


def plot_samplers(tables: Mapping[str, Rows], into: Path) -> None:
    """AR@1000 against seconds, a panel for each data set and a line for each sampler."""
    figure, panels = _panels(len(tables))
    for axis, (data, rows) in zip(panels, tables.items(), strict=True):
        families: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            families.setdefault(row["sampler"].partition(":")[0], []).append(row)
        for colour, (family, its_rows) in zip(COLOURS, families.items(), strict=False):
            points = sorted((row["seconds"], row["AR@1000"], row["prompts"]) for row in its_rows)
            axis.plot(*zip(*[point[:2] for point in points], strict=True), "o-", color=colour, label=family)
            for seconds, recall, prompts in points:
                axis.annotate(
                    f"{prompts:.0f}", (seconds, recall), fontsize=7, xytext=(3, 3), textcoords="offset points"
                )
        axis.set(xscale="log", title=data, xlabel="seconds a picture; numbers: prompts")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.legend(**LEGEND)
    panels[0].set_ylabel("mask AR@1000, %")
    _save(figure, into)


def plot_prompts(tables: Mapping[str, Rows], into: Path) -> None:
    """Recall against the number of prompts, a panel for each data set and a line for each group of objects."""
    figure, panels = _panels(len(tables))
    for axis, (data, rows) in zip(panels, tables.items(), strict=True):
        shown = [row for row in rows if row["number"] and "IoU" not in row["objects"]]
        for index, row in enumerate(shown):
            budgets = [key for key in row if key.isdecimal()]
            axis.plot(
                [int(key) for key in budgets],
                [row[key] for key in budgets],
                "o-" if index < 4 else "s--",
                markersize=3,
                label=f"{row['objects']} ({row['number']})",
            )
        axis.set(xscale="log", title=data, xlabel="boxes asked at most")
        axis.set_xticks([8, 32, 128, 320], labels=["8", "32", "128", "320"])
        axis.minorticks_off()
        axis.legend(**LEGEND)
    panels[0].set_ylabel("recall, mean over IoU .50 to .95, %")
    _save(figure, into)


def plot_detectors(rows: Rows, into: Path) -> None:
    """Recall of boxes and of the masks made from them against milliseconds of discovery."""
    figure, (axis,) = _panels(1)
    for key, marker, colour in (("box AR@1000", "o", COLOURS[0]), ("mask AR@1000", "s", COLOURS[1])):
        axis.plot(
            [row["discovery, ms"] for row in rows],
            [row[key] for row in rows],
            marker,
            color=colour,
            label=key,
        )
    for row in rows:
        axis.annotate(
            row["input sides"],
            (row["discovery, ms"], row["box AR@1000"]),
            fontsize=7,
            xytext=(3, 3),
            textcoords="offset points",
        )
    axis.set(xlabel="object discovery, ms a picture; numbers: input sides", ylabel="%")
    axis.set_ylim(bottom=0)
    axis.legend(**LEGEND)
    _save(figure, into)


def plot_fates(rows: Rows, into: Path) -> None:
    """What became of objects: a stacked bar for each sampler and size."""
    shown = [row for row in rows if row["number"]]
    figure, (axis,) = _panels(1, height=0.6 + 0.24 * len(shown))
    left = [0.0] * len(shown)
    names = [f"{row['sampler']}: {row['size']} ({row['number']})" for row in shown]
    for fate, colour in zip(FATES, FATE_COLOURS, strict=True):
        widths = [row[fate] for row in shown]
        axis.barh(names, widths, left=left, color=colour, label=fate)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axis.invert_yaxis()
    axis.set(xlabel="% of objects", xlim=(0, 100))
    axis.legend(**LEGEND | {"bbox_to_anchor": (0.3, -0.12)})
    _save(figure, into)


def _panels(count: int, *, height: float = 4.2) -> tuple[Figure, list[Axes]]:
    with matplotlib.rc_context(STYLE):
        figure, axes = pyplot.subplots(
            1, count, figsize=(max(6.0, 3.6 * count), height), layout="constrained", squeeze=False
        )
    for axis in axes[0]:
        axis.grid(alpha=0.3)
    return figure, list(axes[0])


def _save(figure: Figure, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure.savefig(into, metadata={"Date": None})
    pyplot.close(figure)
