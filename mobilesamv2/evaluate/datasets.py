"""COCO-style annotations as class-agnostic masks. Reads no pictures, only where they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ..errors import MobileSamError
from ..types import Floats, Rle


class DatasetError(MobileSamError, ValueError):
    """Annotations cannot be read, or hold nothing to measure."""


@dataclass(frozen=True, eq=False)
class Annotated:
    """A photograph and the masks of its objects.

    Args:
        path: of the picture.
        size_hw: height and width that the annotations are for.
        rles: N compressed run lengths, none empty.
    """

    path: Path
    size_hw: tuple[int, int]
    rles: tuple[Rle, ...]

    @property
    def boxes_xyxy(self) -> Floats:
        """float32 (N, 4), the tightest box around each mask, x1 and y1 one past the last pixel."""
        boxes = np.asarray(coco_mask.toBbox(list(self.rles)), dtype=np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes


def read_coco(
    annotations: str | Path, *, images: str | Path | None = None, split: str | None = None
) -> list[Annotated]:
    """Read a COCO annotation file; every category counts as "an object".

    Args:
        annotations: the JSON file. Masks may be polygons or run lengths, compressed or not. Crowds,
            annotations without a mask (boxes only) and empty masks are left out.
        images: folder of the pictures; `images/` beside the annotation file unless given.
        split: keep only the pictures whose entry says `"split": split`; all of them if None.

    Returns:
        The pictures that have a mask, in the file's order.

    Raises:
        DatasetError: if the file is not readable as COCO annotations or nothing in it fits.
    """
    annotations = Path(annotations)
    folder = annotations.parent / "images" if images is None else Path(images)
    try:
        content = json.loads(annotations.read_text(encoding="utf-8"))
        masks = _masks_by_image(content)
        found = [
            Annotated(
                path=folder / image["file_name"],
                size_hw=(int(image["height"]), int(image["width"])),
                rles=tuple(masks[image["id"]]),
            )
            for image in content["images"]
            if masks.get(image["id"]) and (split is None or image.get("split") == split)
        ]
    except OSError as error:
        raise DatasetError(f"{annotations} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{annotations} is not a COCO annotation file with images and annotations ({error})."
        ) from error
    if not found:
        within = "" if split is None else f" in the split {split!r}"
        raise DatasetError(f"{annotations} has no picture with a mask{within}.")
    return found


def _masks_by_image(content: dict[str, Any]) -> dict[Any, list[Rle]]:
    size_by_image = {image["id"]: (int(image["height"]), int(image["width"])) for image in content["images"]}
    masks: dict[Any, list[Rle]] = {}
    for annotation in content["annotations"]:
        if annotation.get("iscrowd") or not annotation.get("segmentation"):
            continue
        rle = compressed_rle(annotation["segmentation"], size_hw=size_by_image[annotation["image_id"]])
        if coco_mask.area(rle) > 0:
            masks.setdefault(annotation["image_id"], []).append(rle)
    return masks


def compressed_rle(segmentation: Any, *, size_hw: tuple[int, int]) -> Rle:
    """One mask in any of COCO's three forms (polygons, counts as numbers, counts as text) as compressed RLE.

    Raises:
        ValueError: if it is none of them or made for a picture of another size.
    """
    height, width = size_hw
    if isinstance(segmentation, list):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
        if not polygons:  # points and lines have no pixels
            unset = {"size": [height, width], "counts": [height * width]}
            nothing: Rle = coco_mask.frPyObjects(unset, height, width)
            return nothing
        merged: Rle = coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))
        return merged
    counts = segmentation["counts"]
    if tuple(segmentation["size"]) != size_hw:
        raise ValueError(f"a mask of the size {segmentation['size']} for a picture of {list(size_hw)}")
    if isinstance(counts, list):
        compressed: Rle = coco_mask.frPyObjects(segmentation, height, width)
        return compressed
    return {"size": [height, width], "counts": counts.encode("ascii") if isinstance(counts, str) else counts}
