"""The tables of MobileSAMv2 (arXiv 2312.09579 v1) as presets: what to run, and the paper's values to set beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..request import Request

PAPER = "arXiv 2312.09579"
DIFFERS = (
    "The paper measures 100 LVIS pictures that it does not name, on hardware that it does not name, with K = 1000 "
    "unless a column says otherwise; here it is the data and the machine of this run."
)
"""What differs in the protocol of every table."""


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        request: the way to segment everything.
        paper: the paper's values by the name of the column: fractions for recall, seconds for time.
        model: of the zoo; None for the model that the user named.
    """

    request: Request
    paper: Mapping[str, float]
    model: str | None = None


@dataclass(frozen=True)
class Preset:
    """One table.

    Args:
        title: what it shows.
        columns: of ours and of the paper's values, by the names that `value_of` knows.
        rows: in the paper's order.
        differs: what else differs in the protocol.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    differs: str = ""


def _ar(*values: float, columns: tuple[str, ...] = ("AR", "small", "medium", "large")) -> dict[str, float]:
    return {name: round(value / 100, 4) for name, value in zip(columns, values, strict=False)}


def _boxes(count: int) -> Request:
    return Request("object-aware", max_prompts=count)


def _grid(side: int, *, multimask: bool = True) -> Request:
    return Request("grid", points_per_side=side, multimask=multimask)


def _centres(*, multimask: bool) -> Request:
    return Request("box-centres", max_prompts=320, multimask=multimask)


_K = ("AR@10", "AR@100", "AR")
_BY_SIZE = ("AR", "small", "medium", "large")

PRESETS: dict[str, Preset] = {
    "table2": Preset(
        "Table 2: seconds of prompt sampling and mask decoding, the image encoder left out",
        ("seconds",),
        (
            Row(_grid(32), {"seconds": 1.616}),
            Row(_grid(64), {"seconds": 6.464}),
            Row(_boxes(320), {"seconds": 0.097}),
        ),
        "Ours count object discovery, decoding, filters and masks at the size of the picture; the paper counts prompt "
        "encoding (with discovery) and decoding by the decoder of SAM.",
    ),
    "table3": Preset(
        "Table 3: mask AR@1000 of points, boxes and centres of boxes",
        _BY_SIZE,
        (
            Row(_grid(64), _ar(59.2, 46.6, 78.7, 82.4)),
            Row(_grid(32), _ar(57.2, 42.9, 79.2, 83.6)),
            Row(_grid(16), _ar(40.0, 19.4, 71.3, 79.1)),
            Row(_grid(64, multimask=False), _ar(54.3)),
            Row(_grid(32, multimask=False), _ar(49.8)),
            Row(_grid(16, multimask=False), _ar(34.6)),
            Row(_boxes(320), _ar(59.3, 47.9, 77.1, 79.9)),
            Row(_centres(multimask=False), _ar(53.6, 44.0, 70.4, 66.6)),
            Row(_centres(multimask=True), _ar(55.7, 40.6, 78.6, 84.6)),
        ),
    ),
    "table4": Preset(
        "Table 4: mask AR@10, AR@100 and AR@1000",
        _K,
        (
            Row(_grid(64), _ar(12.6, 44.8, 59.2, columns=_K)),
            Row(_boxes(320), _ar(17.6, 50.6, 59.3, columns=_K)),
        ),
    ),
    "table5": Preset(
        "Table 5: mask AR@1000 with other image encoders",
        ("AR",),
        (
            Row(_boxes(320), _ar(59.3), "mobilesamv2-vit-h"),
            Row(_boxes(320), _ar(56.3), "mobilesamv2-efficientvit-l2"),
            Row(_boxes(320), _ar(51.1), "mobilesamv2-tinyvit"),
        ),
    ),
    "table7": Preset(
        "Table 7: mask AR@1000 by the number of boxes allowed",
        ("AR",),
        tuple(
            Row(_boxes(count), _ar(value))
            for count, value in ((384, 59.3), (320, 59.3), (256, 58.5), (192, 56.6), (128, 53.6), (64, 44.8))
        ),
    ),
}


def value_of(row: Mapping[str, Any], column: str) -> float | None:
    """A column's value in a row of `run.summary`."""
    if column == "seconds":
        return sum(
            seconds for stage, seconds in row["seconds"].items() if stage not in ("preprocess", "encode")
        )
    if column in ("small", "medium", "large"):
        value: float | None = row["mask_ar_by_group"][column]["1000"]
    else:
        value = row["mask_ar"][column.partition("@")[2] or "1000"]
    return value


def table_rows(preset: Preset, measured: Sequence[Mapping[str, Any] | str]) -> list[dict[str, object]]:
    """Rows to print: the way, then each column as ours and the paper's.

    Args:
        preset: the table.
        measured: for each of its rows a row of `run.summary`, or the sentence why it could not be run.
    """
    rows: list[dict[str, object]] = []
    for line, found in zip(preset.rows, measured, strict=True):
        shown: dict[str, object] = {"sampler": line.request.label}
        if line.model:
            shown["model"] = line.model
        for column in preset.columns:
            ours = None if isinstance(found, str) else value_of(found, column)
            shown[column] = "not run" if ours is None else round(ours, 3)
            shown[f"{column}, paper"] = line.paper.get(column, "")
        rows.append(shown)
    return rows
