"""Results written into folders: what the command line leaves behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from .. import render
from ..comparison.compare import Comparison
from ..comparison.report import verdict
from ..types import Picture, SegmentationResult
from .formats import NUMBERED, files_of
from .pictures import label_map_image
from .records import json_bytes, result_record

SUMMARY_NAME = "summary.json"


def write_result(
    folder: Path,
    picture: Picture,
    result: SegmentationResult,
    *,
    file_name: str = "",
    formats: Collection[str] = (),
) -> None:
    """Write `masks.json`, `overlay.png` and `label_map.png` into `folder`; what is there is replaced.

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
    height, width = result.masks.size_hw
    record = result_record(result)
    write_json(
        folder / "masks.json",
        {
            "image": {"file_name": file_name, "width": width, "height": height},
            **record,
            "annotations": result.masks.to_coco(),
        },
    )
    for name in set(formats) & set(NUMBERED):
        _make_room(folder / name)
    for path, content in files_of(picture, result.masks, formats=formats, file_name=file_name, info=record):
        (folder / path).write_bytes(content)
    if "overlay" not in formats:
        Image.fromarray(render.overlay(picture, result.masks)).save(folder / "overlay.png")
    if "label-map" not in formats:
        label_map_image(result.masks).save(folder / "label_map.png")


def _make_room(folder: Path) -> None:
    """An empty folder for numbered files: fewer masks than last time must not leave old ones behind."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.png"):
        if path.stem.isdecimal():
            path.unlink()


def write_comparison(folder: Path, picture: Picture, comparison: Comparison, *, file_name: str = "") -> None:
    """Write `comparison.json` and, for each spec, `NAME-overlay.png` and `NAME-prompts.png`.

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
            "samplers": comparison.rows(),
        },
    )
    palette = render.label_colours(sum(comparison.matching.counts))
    results = comparison.first, comparison.second
    for name, result, ranks in zip(
        comparison.names, results, comparison.matching.colour_ranks(), strict=True
    ):
        stem = name.replace(":", "-").replace(" ", "-")
        drawn = render.overlay(picture, result.masks, colours=palette[ranks])
        Image.fromarray(drawn).save(folder / f"{stem}-overlay.png")
        prompts = render.draw_prompts(picture, result.prompts)
        Image.fromarray(prompts).save(folder / f"{stem}-prompts.png")


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
    path.write_bytes(json_bytes(value))
