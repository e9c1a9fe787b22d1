"""Writes results into folders, for the command line. Each file appears whole, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from .. import render
from ..comparison.compare import Comparison
from ..comparison.report import verdict
from ..results import SegmentationResult
from ..types import Masks, Picture
from .datasets import dataset_files
from .formats import NUMBERED, files_of
from .pictures import for_people, label_map_png, photo_file
from .records import annotation_records, json_bytes, masks_from_coco

SUMMARY_NAME, MASKS_NAME = "summary.json", "masks.json"


def write_result(
    folder: Path,
    picture: Picture,
    result: SegmentationResult,
    *,
    file_name: str = "",
    formats: Collection[str] = (),
    made_with: Mapping[str, Any] | None = None,
) -> None:
    """Write `overlay.png`, `label_map.png` and at last `masks.json` into `folder`; what is there is replaced.

    A large picture's overlay is `overlay.jpg`, made smaller. `masks.json` has the record of the run
    (`SegmentationResult.to_record`), `prompt_list` (`Prompts.to_list`), into which `prompt_index` points, and
    `annotations` (`annotation_records`).

    Args:
        folder: made if it does not exist, with its parents.
        picture: the photograph the result is of.
        result: its masks are numbered in `label_map.png` from 1 in their order in `masks.json`.
        file_name: name of the photograph's file, told in `masks.json`.
        formats: of `FORMATS`, what else to write. Masks and cut-outs of an earlier run go first.
        made_with: what else decided on the result, told in `masks.json`.

    Raises:
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = result.to_record()
    named = record | {"image": {"file_name": file_name, **record["image"]}}
    for name in set(formats) & set(NUMBERED):
        _make_room(folder / name)
    for path, content in files_of(picture, result.masks, formats=formats, file_name=file_name, info=record):
        _write_within(folder, path, content)
    if "overlay" not in formats:
        small = for_people(picture)
        is_large = small is not picture
        drawn = render.overlay(small, result.masks, out=small if is_large else None)
        _write_photo(folder, "overlay", drawn, is_large=is_large)
    if "label-map" not in formats:
        write_file(folder / "label_map.png", label_map_png(result.masks))
    # Last: where it lies, everything else does.
    asked = result.prompts.to_list()
    told = {} if made_with is None else {"made_with": dict(made_with)}
    of_masks = annotation_records(result.masks)
    write_json(folder / MASKS_NAME, {**named, **told, "prompt_list": asked, "annotations": of_masks})


def _write_photo(folder: Path, stem: str, drawn: Picture, *, is_large: bool) -> None:
    """Write a drawing as PNG, or that of a large picture as JPEG; an earlier one of the other kind goes."""
    suffix, content = photo_file(Image.fromarray(drawn), is_large=is_large)
    write_file(folder / f"{stem}{suffix}", content)
    (folder / f"{stem}{'.png' if suffix == '.jpg' else '.jpg'}").unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """An empty folder for numbered files: fewer masks than last time must not leave old ones behind."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        if path.stem.isdecimal():
            path.unlink()


def write_comparison(folder: Path, picture: Picture, comparison: Comparison, *, file_name: str = "") -> None:
    """Write `comparison.json` and, for each request, `NAME-overlay.png` and `NAME-prompts.png`, of a large
    picture `.jpg`, as `for_people` makes it smaller.

    NAME is the sampler, with its budget where both are of one sampler: `grid`, `grid-16`. Masks of one object have one
    colour in both overlays.

    Raises:
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = picture.shape[:2]
    write_json(
        folder / "comparison.json",
        {
            "image": {"file_name": file_name, "width": width, "height": height},
            "model": comparison.first.model,
            "device": comparison.first.device,
            "speedup": comparison.speedup,
            "verdict": verdict(*comparison.statistics),
            "runs": comparison.records(),
        },
    )
    small = for_people(picture)
    is_large = small is not picture
    palette = render.label_colours(sum(comparison.matching.counts))
    results = comparison.first, comparison.second
    for name, result, ranks in zip(comparison.names, results, comparison.matching.colour_ranks(), strict=True):
        stem = name.replace(":", "-").replace(" ", "-")
        drawn = render.overlay(small, result.masks, colours=palette[ranks])
        _write_photo(folder, f"{stem}-overlay", drawn, is_large=is_large)
        drawn = render.draw_prompts(small, result.prompts, size_hw=(height, width))
        _write_photo(folder, f"{stem}-prompts", drawn, is_large=is_large)


def write_summary(folder: Path, *, photos: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]) -> None:
    """Write `summary.json`: a record for each photograph that was segmented, and one for each that failed.

    Raises:
        OSError: if the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SUMMARY_NAME, {"photos": list(photos), "failures": list(failures)})


def write_datasets(
    folder: Path,
    names: Sequence[str],
    *,
    formats: Collection[str],
    info: Mapping[str, Any] | None = None,
) -> None:
    """Write data sets of all photographs whose results lie in `folder`; what is there is replaced.

    The masks of one photograph are in memory at a time, and the one file that is being made.

    Args:
        names: of the folders that `write_result` filled, in the order of the data set.
        formats, info: as in `dataset_files`.

    Raises:
        OSError, ValueError, KeyError: if results cannot be read, or files not be written.
    """
    for path, content in dataset_files(_Written(folder, names), formats=formats, info=info):
        _write_within(folder, path, content)


def _write_within(folder: Path, path: str, content: bytes) -> None:
    """Write a file of a format, whose path may have folders of its own."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, content)


@dataclass(frozen=True)
class _Written:
    """The masks of results in folders, read again whenever they are gone through."""

    folder: Path
    names: Sequence[str]

    def __iter__(self) -> Iterator[tuple[str, Masks]]:
        return (read_result(self.folder / name) for name in self.names)


def read_result(folder: Path) -> tuple[str, Masks]:
    """The name of the photograph's file, and the masks, of a folder that `write_result` filled.

    Raises:
        OSError: if there is no `masks.json`.
        ValueError, KeyError: if it holds no such result.
    """
    content = json.loads((folder / MASKS_NAME).read_text(encoding="utf-8"))
    image = content["image"]
    size_hw = (int(image["height"]), int(image["width"]))
    return str(image["file_name"]), masks_from_coco(content["annotations"], size_hw)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `json_bytes` of a value.

    Raises:
        ValueError: for a number that is not finite.
        OSError: if the file cannot be written.
    """
    write_file(path, json_bytes(value))


def write_file(path: Path, content: bytes) -> None:
    """Write a file beside its name and rename it, so that a full disk or a stop leaves no part of it under its name.

    Raises:
        OSError: if the file cannot be written.
    """
    beside = path.with_name(f".{path.name[:80]}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
