"""Results written into folders: what the command line leaves behind. Each file appears whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from .. import render
from ..comparison.compare import Comparison
from ..comparison.report import verdict
from ..results import SegmentationResult
from ..types import Picture
from .formats import NUMBERED, files_of
from .pictures import label_map_image, photo_file, png_bytes
from .records import json_bytes

SUMMARY_NAME, MASKS_NAME = "summary.json", "masks.json"


def write_result(
    folder: Path,
    picture: Picture,
    result: SegmentationResult,
    *,
    file_name: str = "",
    formats: Collection[str] = (),
) -> None:
    """Write `overlay.png`, `label_map.png` and at last `masks.json` into `folder`; what is there is replaced.

    A large picture's overlay is `overlay.jpg`. `masks.json` has the record of the run
    (`SegmentationResult.to_record`), `prompt_list` (`Prompts.to_list`), into which `prompt_index` points, and
    `annotations` (`Masks.to_coco`).

    Args:
        folder: made if it does not exist, with its parents.
        picture: the photograph the result is of.
        result: its masks are numbered in `label_map.png` from 1 in their order in `masks.json`.
        file_name: name of the photograph's file, told in `masks.json`.
        formats: of `FORMATS`, what else to write. Masks and cut-outs of an earlier run go first.

    Raises:
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = result.to_record()
    named = record | {"image": {"file_name": file_name, **record["image"]}}
    for name in set(formats) & set(NUMBERED):
        _make_room(folder / name)
    for path, content in files_of(picture, result.masks, formats=formats, file_name=file_name, info=record):
        write_file(folder / path, content)
    if "overlay" not in formats:
        suffix, content = photo_file(Image.fromarray(render.overlay(picture, result.masks)))
        write_file(folder / f"overlay{suffix}", content)
        (folder / ("overlay.png" if suffix == ".jpg" else "overlay.jpg")).unlink(
            missing_ok=True
        )  # an earlier one
    if "label-map" not in formats:
        write_file(folder / "label_map.png", png_bytes(label_map_image(result.masks)))
    # Last: where it lies, everything else does.
    asked = result.prompts.to_list()
    write_json(folder / MASKS_NAME, {**named, "prompt_list": asked, "annotations": result.masks.to_coco()})


def _make_room(folder: Path) -> None:
    """An empty folder for numbered files: fewer masks than last time must not leave old ones behind."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        if path.stem.isdecimal():
            path.unlink()


def write_comparison(folder: Path, picture: Picture, comparison: Comparison, *, file_name: str = "") -> None:
    """Write `comparison.json` and, for each request, `NAME-overlay.png` and `NAME-prompts.png`.

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
    palette = render.label_colours(sum(comparison.matching.counts))
    results = comparison.first, comparison.second
    for name, result, ranks in zip(
        comparison.names, results, comparison.matching.colour_ranks(), strict=True
    ):
        stem = name.replace(":", "-").replace(" ", "-")
        drawn = render.overlay(picture, result.masks, colours=palette[ranks])
        write_file(folder / f"{stem}-overlay.png", png_bytes(Image.fromarray(drawn)))
        prompts = render.draw_prompts(picture, result.prompts)
        write_file(folder / f"{stem}-prompts.png", png_bytes(Image.fromarray(prompts)))


def write_summary(
    folder: Path, *, photos: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> None:
    """Write `summary.json`: a record for each photograph that was segmented, and one for each that failed.

    Raises:
        OSError: if the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SUMMARY_NAME, {"photos": list(photos), "failures": list(failures)})


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
