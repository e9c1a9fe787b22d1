"""Which labelled pictures the detector learns from, and which it never sees: three sets to measure it on.

What is kept out follows from a picture's number in its file name, so it is the same everywhere and for ever.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from .coco_data import LabelledPicture, read_labels

KeptOut = Literal["val", "small", "regions"]
"""`val`: the panoptic pictures of that split. `small`: COCO pictures with many small objects. `regions`: natural
photos, each labelled by several people."""
SETS: tuple[KeptOut, ...] = get_args(KeptOut)
SMALL_SHARE = 0.004
"""An object is small if its box covers less of the picture."""
SMALL_OBJECTS = 5
"""So many small objects are many."""


def kept_out(picture: LabelledPicture) -> KeptOut | None:
    """The set that a picture is kept out for, or None if it may be trained on."""
    if picture.split == "val":
        return "val"
    number = int(re.findall(r"\d+", picture.path.stem)[-1:][0])
    if picture.source == "bsds400":
        return "regions" if number % 10 == 0 else None
    if picture.source in ("coco-boxes", "coco-instances") and number % 8 == 0:
        sides = picture.boxes_xyxy[:, 2:] - picture.boxes_xyxy[:, :2]
        small = sides.prod(axis=1) < SMALL_SHARE * np.prod(picture.size_hw)
        return "small" if int(small.sum()) >= SMALL_OBJECTS else None
    return None


def training_pictures(folder: Path) -> list[LabelledPicture]:
    """All pictures that may be trained on."""
    return [picture for picture in read_labels(folder) if kept_out(picture) is None]


def measuring_pictures(folder: Path, name: KeptOut) -> list[LabelledPicture]:
    """The pictures of one of the sets that are never trained on."""
    return [picture for picture in read_labels(folder) if kept_out(picture) == name]
