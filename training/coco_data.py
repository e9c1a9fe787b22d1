"""Reads the training photographs: a COCO `annotations.json` of one class and an `images/` folder beside it.

It knows nothing of models. Boxes and masks are as labelled, in pixels of the stored picture.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from mobilesamv2.types import Floats, Picture, Rle

Split = Literal["train", "val"]


@dataclass(frozen=True, eq=False)
class LabelledPicture:
    """One photograph and what is labelled on it.

    Args:
        path: the picture file.
        size_hw: its height and width in pixels.
        source: the data set it came from: coco-panoptic, coco-instances, coco-boxes, facade or tree.
        split: "train", or "val" for pictures that must never be trained on.
        exhaustive: every pixel belongs to a labelled region, so that what is not labelled is no object.
        boxes_xyxy: float32 (N, 4) in pixels, x1 and y1 one past the last pixel.
        masks: N masks; None where only the box is labelled.
    """

    path: Path
    size_hw: tuple[int, int]
    source: str
    split: Split
    exhaustive: bool
    boxes_xyxy: Floats
    masks: tuple[Rle | None, ...]

    @property
    def masked(self) -> npt.NDArray[np.int64]:
        """int64 indices of the labels that have a mask."""
        return np.array([index for index, mask in enumerate(self.masks) if mask is not None], dtype=np.int64)


def read_labels(
    folder: Path, *, split: Split | None = None, sources: Sequence[str] | None = None
) -> list[LabelledPicture]:
    """Read the labels of all pictures of a split (None: both) and of some sources (None: all), in file order.

    Some objects are labelled twice, as a mask and as a plain box: a plain box that repeats the box of a mask
    (IoU of 0.75 and more) is left out, as are boxes without area.
    """
    with (folder / "annotations.json").open(encoding="utf-8") as file:
        document = json.load(file)
    by_picture: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        by_picture[annotation["image_id"]].append(annotation)
    pictures = []
    for image in document["images"]:
        if (split is not None and image["split"] != split) or (sources is not None and image["source"] not in sources):
            continue
        boxes, masks = _labels(by_picture[image["id"]])
        pictures.append(
            LabelledPicture(
                path=folder / "images" / image["file_name"],
                size_hw=(image["height"], image["width"]),
                source=image["source"],
                split=image["split"],
                exhaustive=image["masks"] == "exhaustive",
                boxes_xyxy=boxes,
                masks=masks,
            )
        )
    return pictures


def read_picture(picture: LabelledPicture) -> Picture:
    """The photograph as uint8 RGB of `picture.size_hw`."""
    with Image.open(picture.path) as image:
        return np.asarray(image.convert("RGB"))


def _labels(annotations: list[dict[str, Any]]) -> tuple[Floats, tuple[Rle | None, ...]]:
    boxes: list[Floats] = []
    masks: list[Rle | None] = []
    # Masks first: only then is it known which plain boxes repeat one.
    for annotation in sorted(annotations, key=lambda annotation: "segmentation" not in annotation):
        x, y, width, height = annotation["bbox"]
        box = np.array([x, y, x + width, y + height], dtype=np.float32)
        mask = annotation.get("segmentation")
        known = np.array(boxes[: len(masks) - masks.count(None)], dtype=np.float32).reshape(-1, 4)
        if width <= 0 or height <= 0 or (mask is None and (_iou(box, known) >= 0.75).any()):
            continue
        boxes.append(box)
        masks.append(None if mask is None else {"size": mask["size"], "counts": mask["counts"].encode("ascii")})
    return np.array(boxes, dtype=np.float32).reshape(-1, 4), tuple(masks)


def _iou(box: Floats, others: Floats) -> Floats:
    """IoU of one box (4,) with others (N, 4), all with an area."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.maximum(sides, 0).prod(axis=1)
    areas = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(shared / (areas - shared), dtype=np.float32)
