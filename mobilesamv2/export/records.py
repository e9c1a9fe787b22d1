"""Results as plain values for JSON and CSV: what a run was, COCO annotations, the legend of a label map."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..render import label_colours
from ..types import Masks

LEGEND_COLUMNS = (
    "id",
    "colour",
    "area",
    "x",
    "y",
    "width",
    "height",
    "score",
    "predicted_iou",
    "stability_score",
    "detector_score",
)


def coco_dataset(
    photos: Iterable[tuple[str, Masks]], *, info: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Masks of any number of photographs as one COCO data set, as `pycocotools.coco.COCO` reads it.

    Args:
        photos: the name of each photograph's file and its masks.
        info: how they were made, told under `info`.

    Returns:
        `images`, `annotations` (compressed run lengths, with ids from 1 through all photographs) and the one
        category "object". An annotation also carries what `Masks.to_coco` gives of its mask.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, masks) in enumerate(photos, start=1):
        height, width = masks.size_hw
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for record in masks.to_coco():
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": 1}
            annotations.append({**ids, "iscrowd": 0, **record})
    return {
        "info": {"description": "Masks made by MobileSAMv2", **(info or {})},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "object", "supercategory": ""}],
    }


def legend(masks: Masks, *, colours: npt.NDArray[np.uint8] | None = None) -> list[dict[str, Any]]:
    """One row for each mask: what its number in the label map and in file names stands for.

    Args:
        colours: uint8 (N, 3) of the overlay, where they are not those of the masks' ranks.

    Returns:
        `LEGEND_COLUMNS` of each: `id` from 1, `colour` in the overlay as "#rrggbb", `area` and the box in pixels,
        the scores; None for what is not known.
    """
    rows = []
    colours = label_colours(len(masks)) if colours is None else colours
    for number, (record, colour) in enumerate(zip(masks.to_coco(), colours, strict=True), start=1):
        values = (int(value) for value in record["bbox"])
        box = dict(zip(("x", "y", "width", "height"), values, strict=True))
        first = {"id": number, "colour": "#" + bytes(colour).hex(), **box}
        rows.append({column: first.get(column, record.get(column)) for column in LEGEND_COLUMNS})
    return rows


def legend_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The rows of `legend` for spreadsheets: a line of names, then a line for each mask; unknown values are empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, LEGEND_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def json_bytes(value: Mapping[str, Any] | list[Any]) -> bytes:
    """JSON that people can read too, in UTF-8; numbers that JSON does not know (NaN, infinity) are refused.

    Bytes of a file name that are no UTF-8 become the escapes that Python's `json` reads as the same name.

    Raises:
        ValueError: for a number that is not finite.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", errors="backslashreplace")
