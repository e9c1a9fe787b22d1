"""Results as plain values for JSON and CSV: what a run was, COCO annotations, the legend of a label map."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..nesting import Nesting
from ..ops.outlines import edge_rings
from ..render import label_colours
from ..types import Floats, Ints, Masks

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


Photos = Iterable[tuple[str, Masks]]
"""The name of each photograph's file, and its masks."""
CATEGORY = "object"
"""What every mask is called in formats that name things: masks are of no class."""


def coco_dataset(photos: Photos, *, info: Mapping[str, Any] | None = None, polygons: bool = False) -> dict[str, Any]:
    """Masks of any number of photographs as one COCO data set, as `pycocotools.coco.COCO` reads it.

    Args:
        photos: the name of each photograph's file and its masks.
        info: how they were made, told under `info`.
        polygons: give each mask as polygons along the edges of its pixels, one for each island, instead of run lengths.
            Holes are filled then, for COCO's polygons have none; a mask without a pixel is left out.

    Returns:
        `images`, `annotations` (compressed run lengths, with ids from 1 through all photographs) and the one
        category "object". An annotation also carries what `annotation_records` gives of its mask, but for
        `prompt_index`, since prompts are not in a data set; `parent` is an id.
    """
    images: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for image_id, (file_name, masks) in enumerate(photos, start=1):
        height, width = masks.size_hw
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        drawn = [index for index, area in enumerate(masks.areas) if area or not polygons]
        ids = dict(zip(drawn, range(len(records) + 1, len(records) + 1 + len(drawn)), strict=True))
        of_masks = annotation_records(masks)
        for index, id_ in ids.items():
            first = {"id": id_, "image_id": image_id, "category_id": 1, "iscrowd": 0}
            parent = of_masks[index]["parent"]
            record = first | of_masks[index] | {"parent": None if parent is None else ids[parent]}
            del record["prompt_index"]
            if polygons:
                record["segmentation"] = [ring.ravel().tolist() for ring in outer_rings(masks, index)]
            records.append(record)
    return {
        "info": {"description": "Masks made by MobileSAMv2", **(info or {})},
        "images": images,
        "annotations": records,
        "categories": [{"id": 1, "name": CATEGORY, "supercategory": ""}],
    }


def annotation_records(masks: Masks) -> list[dict[str, Any]]:
    """What `Masks.to_coco` gives, and of each mask the `parent`: the place in this list of the mask it is a part of.

    The place counts from 0; None for a mask that is no part of another (`Nesting`).
    """
    parents = Nesting.of(masks).parents.tolist()
    return [
        {**record, "parent": None if parent < 0 else parent}
        for record, parent in zip(masks.to_coco(), parents, strict=True)
    ]


def masks_from_coco(records: Sequence[Mapping[str, Any]], size_hw: tuple[int, int]) -> Masks:
    """The masks that `Masks.to_coco` made these records of; further keys are passed over.

    Raises:
        ValueError: if a mask is not of that size.
        KeyError: if a record lacks a key.
    """

    def numbers(name: str) -> Floats:
        return np.array([np.nan if record[name] is None else record[name] for record in records], np.float32)

    boxes = np.array([record["bbox"] for record in records], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    packed = [record["segmentation"] for record in records]
    return Masks(
        size_hw=size_hw,
        rles=tuple({"size": list(rle["size"]), "counts": rle["counts"].encode("ascii")} for rle in packed),
        scores=numbers("score"),
        boxes_xyxy=boxes,
        predicted_iou=numbers("predicted_iou"),
        stability=numbers("stability_score"),
        detector_scores=numbers("detector_score"),
        prompt_index=np.array([record["prompt_index"] for record in records], dtype=np.int64),
    )


def outer_rings(masks: Masks, index: int) -> list[Ints]:
    """The outer polygons of mask `index` along the edges of its pixels, in pixels of the picture: int64 (K, 2) each."""
    x0, y0 = (int(edge) for edge in masks.boxes_xyxy[index, :2])
    return edge_rings(masks.window(index), origin_xy=(x0, y0))[0]


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


def json_bytes(value: Mapping[str, Any] | list[Any], *, indent: int | None = 2) -> bytes:
    """JSON that people can read too, in UTF-8; numbers that JSON does not know (NaN, infinity) are refused.

    Bytes of a file name that are no UTF-8 become the escapes that Python's `json` reads as the same name.

    Args:
        indent: spaces for each level; None: all on one line, for what is mostly numbers.

    Raises:
        ValueError: for a number that is not finite.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", errors="backslashreplace")
