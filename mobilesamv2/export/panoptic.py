"""COCO's panoptic form of masks: a picture of ids, each pixel with exactly one, and a table of the ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..filters import without_overlaps
from ..types import Ints, Masks, Picture
from .records import CATEGORY

UNCOVERED = "uncovered"
"""Category of the one segment of all pixels that no mask covers."""


def panoptic_map(masks: Masks) -> npt.NDArray[np.int32]:
    """The segment of each pixel: int32 (H, W), no 0.

    `i + 1` is the smallest mask `i` over the pixel, as in `Masks.label_map`; `N + 1` are the pixels that none of the N
    masks covers.
    """
    labels = masks.label_map()
    labels[labels == 0] = len(masks) + 1
    return labels


def panoptic_image(segments: Ints | npt.NDArray[np.int32]) -> Image.Image:
    """A map of ids as COCO keeps it: red + 256 green + 65,536 blue."""
    ids = segments.astype(np.uint32)
    coded: Picture = np.stack([ids & 255, ids >> 8 & 255, ids >> 16 & 255], axis=-1).astype(np.uint8)
    return Image.fromarray(coded)


def panoptic_dataset(photos: Iterable[tuple[str, str, Masks]]) -> dict[str, Any]:
    """The JSON that belongs to the pictures: COCO's panoptic annotations of any number of photographs.

    Args:
        photos: of each photograph the name of its file, the name of its `panoptic_image`, and the masks.

    Returns:
        `images`, `annotations` with `segments_info` (id, category, area and box of what is seen of each mask; a mask
        that others hide altogether has none), and the categories "object" and "uncovered".
    """
    images, annotations = [], []
    for image_id, (file_name, png_name, masks) in enumerate(photos, start=1):
        height, width = masks.size_hw
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        segments = _segments(masks)
        annotations.append({"image_id": image_id, "file_name": png_name, "segments_info": segments})
    return {
        "info": {"description": "Masks made by MobileSAMv2"},
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": 1, "name": CATEGORY, "supercategory": "", "isthing": 1},
            {"id": 2, "name": UNCOVERED, "supercategory": "", "isthing": 0},
        ],
    }


def _segments(masks: Masks) -> list[dict[str, Any]]:
    seen, kept = without_overlaps(masks)
    segments = [
        {
            "id": int(index) + 1,
            "category_id": 1,
            "area": record["area"],
            "bbox": record["bbox"],
            "iscrowd": 0,
        }
        for index, record in zip(kept, seen.to_coco(), strict=True)
    ]
    rest = masks.uncovered()
    if rest.any():
        rows, columns = np.flatnonzero(rest.any(axis=1)), np.flatnonzero(rest.any(axis=0))
        x0, y0 = int(columns[0]), int(rows[0])
        box = [float(x0), float(y0), float(columns[-1] + 1 - x0), float(rows[-1] + 1 - y0)]
        area = int(rest.sum())
        segments.append({"id": len(masks) + 1, "category_id": 2, "area": area, "bbox": box, "iscrowd": 0})
    return segments
