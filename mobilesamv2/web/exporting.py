"""Files for visitors to download: the masks on the page in the chosen formats. No components, no model."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import numpy.typing as npt

from ..errors import PromptError
from ..export import NUMBERED, add_file, files_of, safe_name
from ..formatting import data_size
from ..progress import Progress
from ..types import Masks, Picture
from .everything import shown_to
from .sessions import Session
from .uploads import name_of

TITLE = "Take it with you"
FORMATS = (
    ("COCO JSON", "coco"),
    ("Label map", "label-map"),
    ("Masks", "masks"),
    ("Cut-outs", "cutouts"),
    ("Overlay", "overlay"),
    ("Uncovered", "uncovered"),
    ("COCO polygons", "coco-polygons"),
    ("COCO panoptic", "panoptic"),
    ("YOLO", "yolo"),
    ("labelme", "labelme"),
    ("Label Studio", "label-studio"),
    ("CVAT", "cvat"),
)
FORMATS_INFO = (
    "COCO JSON: run lengths that pycocotools reads. Label map: the number of its mask for each pixel, with a legend. "
    "Masks: black and white, one file each. Cut-outs: cropped to the mask, transparent elsewhere. Uncovered: what no "
    "mask covers. Panoptic: each pixel has exactly one segment. Polygons, YOLO and labelme fill holes. Pictures are "
    "PNGs; all but cut-outs have the photo's size."
)
NOTHING_SEGMENTED = "There are no masks to take away yet: segment the photo first."
NOTHING_POINTED_AT = "There are no masks to take away yet: point at an object first."

_SINGLE = ("coco", "coco-polygons", "label-studio", "cvat", "overlay", "uncovered")
"""Formats of one file, which needs no ZIP."""


@dataclass(frozen=True, eq=False)
class ExportItem:
    """Masks of a photo, ready to be written.

    Args:
        file_name: of the photo.
        colours: of the masks on the page, uint8 (N, 3).
        info: how they were made.
    """

    picture: Picture
    masks: Masks
    file_name: str
    colours: npt.NDArray[np.uint8]
    info: Mapping[str, Any]


def everything_shown(session: Session, photo: str | None) -> ExportItem:
    """What *Segment everything* shows of the chosen photo at the moment, after all filters.

    Raises:
        PromptError: if nothing is shown.
    """
    picture, found = session.at_hand, shown_to(session, photo)
    if picture is None or found is None:
        raise PromptError(NOTHING_SEGMENTED)
    return ExportItem(
        picture=picture.picture,
        masks=found.masks,
        file_name=name_of(session.seen(photo)),
        colours=found.colours,
        info={"masks": len(found.masks), "masks_before_filters": found.whole},
    )


def pack(taken: ExportItem, formats: Sequence[str], folder: Path) -> Generator[Progress | Path, None, None]:
    """Write the files into `folder`: steps, then the path of what to hand out, a ZIP unless there is one file only.

    Args:
        formats: of `mobilesamv2.export.FORMATS`.
        folder: exists already, and belongs to this one visitor.
    """
    name = safe_name(taken.file_name)
    files = files_of(
        taken.picture,
        taken.masks,
        formats=formats,
        file_name=taken.file_name,
        info=taken.info,
        colours=taken.colours,
    )
    if len(formats) == 1 and formats[0] in _SINGLE:
        yield Progress("pack")
        ((path, content),) = files
        alone = folder / f"{name}-{path.replace('_', '-')}"
        alone.write_bytes(content)
        yield alone
        return
    total = count_files(len(taken.masks), formats)
    archive = folder / f"{name}-masks.zip"
    try:
        with ZipFile(archive, "w") as packed:
            for done, (path, content) in enumerate(files):
                yield Progress("pack", done, total)
                add_file(packed, f"{name}/{path}", content)
    except BaseException:  # stopped half-way: nobody is told of the file, so nobody would remove it
        archive.unlink(missing_ok=True)
        raise
    yield archive


def count_files(masks: int, formats: Sequence[str]) -> int:
    """How many files `files_of` gives."""
    numbered = sum(name in NUMBERED for name in formats)
    legend = 2 if numbered or "label-map" in formats else 0
    pairs = sum(name in ("panoptic", "yolo") for name in formats)
    return len(formats) - numbered + pairs + legend + numbered * masks


def link(name: str, bytes_: int) -> str:
    """What the link to a finished file says."""
    return f"{escape(name)}, {data_size(bytes_)}"
