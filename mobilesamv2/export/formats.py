"""Export formats of a photograph with its masks: a stream of small files, for a folder or an archive.

Files are made one at a time, so that what is held in memory is one of them and not all.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from .. import render
from ..errors import PromptError
from ..types import Masks, Picture
from .datasets import DATASETS, File, dataset_files
from .pictures import cutout_image, label_map_png, mask_image, png_bytes, uncovered_image
from .records import json_bytes, legend, legend_csv

FORMATS: dict[str, str] = {
    **DATASETS,
    "label-map": "label_map.png, for each pixel the number of its mask, with legend.csv and legend.json",
    "masks": "masks/0001.png and so on, each mask in black and white, with the legend",
    "cutouts": "cutouts/0001.png and so on, what each mask covers, transparent elsewhere, with the legend",
    "overlay": "overlay.png, the masks in colour on the photograph",
    "uncovered": "uncovered.png, in white what no mask covers",
}
"""What there is to choose from, and what each brings."""

NUMBERED = ("masks", "cutouts")
"""Formats with one file for each mask, in a folder of the same name."""
_WITH_LEGEND = frozenset(("label-map", *NUMBERED))
_STORED = (".png",)
"""What is packed already."""


def chosen_formats(names: str | Sequence[str], *, of: Mapping[str, str] = FORMATS) -> tuple[str, ...]:
    """The formats that people name: "masks,cutouts", "masks cutouts", a list of names, or "all"; in their order.

    Args:
        of: what there is to choose from: `FORMATS` or `DATASETS`.

    Raises:
        PromptError: if one is unknown or there is none, or this is something else.
    """
    given = re.split(r"[,;\s]+", names) if isinstance(names, str) else names
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        raise PromptError('Formats are names, as a list or in one text: "masks,cutouts" or "all".')
    wanted = {name.strip().lower().replace("_", "-") for name in given} - {""}
    known = ", ".join(of)
    for name in sorted(wanted - {"all"}):
        if name not in of:
            raise PromptError(f"There is no format {name!r}; choose from {known}, or all.")
    if not wanted:
        raise PromptError(f"Name at least one format: {known}, or all.")
    return tuple(of) if "all" in wanted else tuple(name for name in of if name in wanted)


def files_of(
    picture: Picture,
    masks: Masks,
    *,
    formats: Collection[str],
    file_name: str = "",
    info: Mapping[str, Any] | None = None,
    colours: npt.NDArray[np.uint8] | None = None,
) -> Iterator[File]:
    """The files of one photograph, one after the other.

    Masks are numbered from 1 in their order: in the label map, the legend, file names and `coco.json` alike.

    Args:
        formats: names of `FORMATS`.
        file_name: name of the photograph's file, told in the files of data sets.
        info: how the masks were made, told there too.
        colours: uint8 (N, 3), one for each mask, as `render.overlay` takes them.

    Raises:
        ValueError: if the masks are of a picture of another size.
    """
    if picture.shape[:2] != tuple(masks.size_hw):
        raise ValueError(f"The masks are of a picture of {masks.size_hw}; this one has {picture.shape[:2]}.")
    yield from dataset_files([(file_name, masks)], formats=formats, info=info)
    if _WITH_LEGEND & set(formats):
        rows = legend(masks, colours=colours)
        yield "legend.csv", legend_csv(rows).encode()
        yield "legend.json", json_bytes(rows)
    if "uncovered" in formats:
        yield "uncovered.png", png_bytes(uncovered_image(masks))
    if "overlay" in formats:
        yield "overlay.png", png_bytes(Image.fromarray(render.overlay(picture, masks, colours=colours)))
    if "label-map" in formats:
        yield "label_map.png", label_map_png(masks)
    if "masks" in formats:
        for index in range(len(masks)):
            yield f"masks/{index + 1:04}.png", png_bytes(mask_image(masks, index))
    if "cutouts" in formats:
        for index in range(len(masks)):
            yield f"cutouts/{index + 1:04}.png", png_bytes(cutout_image(picture, masks, index))


def write_archive(target: Path | BinaryIO, files: Iterable[File]) -> None:
    """Write a ZIP of the files as they come. Pictures are stored as they are, for they are packed already.

    Raises:
        OSError: if it cannot be written.
    """
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in files:
            add_file(archive, path, content)


def add_file(archive: zipfile.ZipFile, path: str, content: bytes) -> None:
    """Add one file to an open archive."""
    kind = zipfile.ZIP_STORED if path.endswith(_STORED) else zipfile.ZIP_DEFLATED
    archive.writestr(path, content, compress_type=kind)
