"""COCO and LVIS annotations as class-agnostic objects. Reads no pictures, only where they are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from ..errors import MobileSamError
from ..types import Floats, Rle

FREQUENCIES = {"r": "rare", "c": "common", "f": "frequent"}
"""LVIS's word for how many training pictures show a category: at most 10, at most 100, more (arXiv 1908.03195)."""
OUTSIDE_TOLERANCE = 2.0
"""Pixels by which an annotation may reach beyond its picture: annotators' polygons are not exact."""


class DatasetError(MobileSamError, ValueError):
    """Annotations cannot be read, or hold nothing to measure."""


@dataclass(frozen=True, eq=False)
class LabelledObject:
    """One object of a photograph.

    Args:
        rle: its mask as compressed run lengths, not empty.
        box_xywh: x, y, width and height in pixels, as annotated, or else the tightest box around the mask.
        area: in pixels, as annotated, or else that of the mask. COCO's sizes go by it.
        is_crowd: stands for a group that nobody told apart: masks on it count neither for nor against.
        frequency: "rare", "common" or "frequent" for LVIS, else None.
    """

    rle: Rle
    box_xywh: tuple[float, float, float, float]
    area: float
    is_crowd: bool = False
    frequency: str | None = None


@dataclass(frozen=True, eq=False)
class Photograph:
    """A photograph and its annotations, which become masks only when they are asked for.

    Args:
        path: of the picture.
        size_hw: height and width that the annotations are for.
        annotations: as they stand in the file, without those that have no mask.
        frequency_of: LVIS's letter for each category, empty for COCO.
    """

    path: Path
    size_hw: tuple[int, int]
    annotations: tuple[Mapping[str, Any], ...]
    frequency_of: Mapping[Any, str]

    def objects(self) -> list[LabelledObject]:
        """Its objects, crowds included, in the file's order; empty masks are left out.

        Raises:
            DatasetError: if an annotation is no mask of this picture.
        """
        found = []
        for annotation in self.annotations:
            try:
                rle = compressed_rle(annotation["segmentation"], size_hw=self.size_hw)
                box = tuple(float(edge) for edge in annotation.get("bbox") or coco_mask.toBbox(rle))
                area = float(annotation["area"] if "area" in annotation else coco_mask.area(rle))
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(f"{_name(annotation)} of {self.path.name} is no mask: {error}.") from error
            if len(box) != 4 or not _inside(box, self.size_hw):
                height, width = self.size_hw
                raise DatasetError(
                    f"{_name(annotation)} has the box {list(box)}, which lies outside {self.path.name} of {width} x "
                    f"{height} pixels."
                )
            if coco_mask.area(rle) == 0:
                continue
            frequency = FREQUENCIES.get(self.frequency_of.get(annotation.get("category_id"), ""))
            found.append(LabelledObject(rle, box, area, bool(annotation.get("iscrowd")), frequency))
        return found

    @property
    def rles(self) -> tuple[Rle, ...]:
        """The masks of its objects without crowds."""
        return tuple(each.rle for each in self.objects() if not each.is_crowd)

    @property
    def boxes_xyxy(self) -> Floats:
        """float32 (N, 4), the tightest box around each of `rles`, x1 and y1 one past the last pixel."""
        boxes = np.asarray(coco_mask.toBbox(list(self.rles)), dtype=np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes


@dataclass(frozen=True, eq=False)
class Dataset:
    """Annotated photographs.

    Args:
        photographs: those that have a mask, in the file's order.
        is_federated: each picture was searched for some categories only, as in LVIS: an object without a label is
            no sign that there is none, so only recall can be measured.
    """

    photographs: tuple[Photograph, ...]
    is_federated: bool


def read_dataset(
    data: str | Path,
    *,
    annotations: str | Path | None = None,
    images: str | Path | None = None,
    split: str | None = None,
) -> Dataset:
    """Read annotations of COCO, or of LVIS v0.5 or v1; every category counts as "an object".

    Args:
        data: a folder with `annotations.json` and `images/`, or the annotation file itself.
        annotations: the annotation file, if it is elsewhere.
        images: folder of the pictures, if it is elsewhere.
        split: keep only the pictures whose entry says `"split": split`; all of them if None.

    Raises:
        DatasetError: if the file is no such annotations, an id stands twice, a picture is missing, or nothing fits.
    """
    data = Path(data)
    file = Path(annotations) if annotations else data / "annotations.json" if data.is_dir() else data
    folder = Path(images) if images else file.parent / "images"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DatasetError(f"{file} is not a COCO annotation file with images and annotations ({error}).") from error
    try:
        _check_ids(file, content)
        frequency_of = {c["id"]: c["frequency"] for c in content.get("categories", ()) if "frequency" in c}
        masks = _masks_by_image(content["annotations"])
        sizes = {image["id"]: (int(image["height"]), int(image["width"])) for image in content["images"]}
        entries = [
            image
            for image in content["images"]
            if image["id"] in masks and (split is None or image.get("split") == split)
        ]
        found = tuple(
            Photograph(
                path=_path_of(image, folder),
                size_hw=sizes[image["id"]],
                annotations=tuple(masks[image["id"]]),
                frequency_of=frequency_of,
            )
            for image in entries
        )
        is_federated = any("neg_category_ids" in image for image in content["images"])
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{file} is not a COCO annotation file with images and annotations ({error}).") from error
    if not found:
        within = "" if split is None else f" in the split {split!r}"
        raise DatasetError(f"{file} has no picture with a mask{within}.")
    missing = [photograph.path for photograph in found if not photograph.path.is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DatasetError(f"There is no picture {missing[0]}{more}; name their folder with --images.")
    return Dataset(photographs=found, is_federated=is_federated)


def _check_ids(file: Path, content: Mapping[str, Any]) -> None:
    for what, entries in (("picture", content["images"]), ("annotation", content["annotations"])):
        twice = [key for key, times in Counter(e["id"] for e in entries if "id" in e).items() if times > 1]
        if twice:
            raise DatasetError(f"The {what} id {twice[0]} is in {file} more than once.")


def _masks_by_image(annotations: Iterable[Mapping[str, Any]]) -> dict[Any, list[Mapping[str, Any]]]:
    masks: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in annotations:
        if annotation.get("segmentation"):  # those with a box alone have none
            masks.setdefault(annotation["image_id"], []).append(annotation)
    return masks


def _path_of(image: Mapping[str, Any], folder: Path) -> Path:
    """Where a picture lies: LVIS v1 names only an address, which ends in a folder of COCO and the file's name."""
    name = image.get("file_name") or "/".join(str(image["coco_url"]).split("/")[-2:])
    whole = folder / name
    return whole if whole.is_file() else folder / Path(name).name


def _inside(box: tuple[float, ...], size_hw: tuple[int, int]) -> bool:
    x, y, width, height = box
    most = OUTSIDE_TOLERANCE
    return -most <= x and -most <= y and x + width <= size_hw[1] + most and y + height <= size_hw[0] + most


def _name(annotation: Mapping[str, Any]) -> str:
    return f"Annotation {annotation['id']}" if "id" in annotation else "An annotation"


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
