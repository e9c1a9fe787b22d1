"""Results as files for other programs: COCO JSON, label maps, overlays, summaries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from . import render
from .comparison import Comparison
from .types import Masks, Picture, SegmentationResult

SUMMARY_NAME = "summary.json"


def result_record(result: SegmentationResult) -> dict[str, Any]:
    """What a run was and took, ready for `json.dumps`: counts, seconds, names; not the masks."""
    return {
        "model": result.model,
        "sampler": result.sampler,
        "device": result.device,
        "prompts": len(result.prompts),
        "masks_decoded": result.masks_decoded,
        "masks": len(result.masks),
        "seconds": {stage: round(seconds, 6) for stage, seconds in result.timings.items()},
        "seconds_in_all": round(result.seconds, 6),
    }


def label_map_image(masks: Masks) -> Image.Image:
    """The label map as a grey picture whose values are the labels: 8 bits, or 16 for more than 255 masks.

    Raises:
        ValueError: for more masks than 16 bits can number.
    """
    if len(masks) > np.iinfo(np.uint16).max:
        raise ValueError(f"A label map of 16 bits numbers at most 65,535 masks; there are {len(masks):,}.")
    dtype = np.uint8 if len(masks) <= np.iinfo(np.uint8).max else np.uint16
    return Image.fromarray(masks.label_map().astype(dtype))


def write_result(folder: Path, picture: Picture, result: SegmentationResult, *, file_name: str = "") -> None:
    """Write `masks.json`, `overlay.png` and `label_map.png` into `folder`; what is there is replaced.

    Args:
        folder: made if it does not exist, with its parents.
        picture: the photograph the result is of.
        result: its masks are numbered in `label_map.png` from 1 in their order in `masks.json`.
        file_name: name of the photograph's file, told in `masks.json`.

    Raises:
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = result.masks.size_hw
    write_json(
        folder / "masks.json",
        {
            "image": {"file_name": file_name, "width": width, "height": height},
            **result_record(result),
            "annotations": result.masks.to_coco(),
        },
    )
    Image.fromarray(render.overlay(picture, result.masks)).save(folder / "overlay.png")
    label_map_image(result.masks).save(folder / "label_map.png")


def write_comparison(folder: Path, picture: Picture, comparison: Comparison, *, file_name: str = "") -> None:
    """Write `comparison.json` and, for each sampler, `SAMPLER-overlay.png` and `SAMPLER-prompts.png`.

    Raises:
        OSError: if the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    height, width = picture.shape[:2]
    write_json(
        folder / "comparison.json",
        {
            "image": {"file_name": file_name, "width": width, "height": height},
            "model": comparison.grid.model,
            "device": comparison.grid.device,
            "speedup": comparison.speedup,
            "samplers": comparison.rows(),
        },
    )
    for result in (comparison.grid, comparison.object_aware):
        Image.fromarray(render.overlay(picture, result.masks)).save(folder / f"{result.sampler}-overlay.png")
        prompts = render.draw_prompts(picture, result.prompts)
        Image.fromarray(prompts).save(folder / f"{result.sampler}-prompts.png")


def write_summary(
    folder: Path, *, photos: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> None:
    """Write `summary.json`: a record for each photograph that was segmented, and one for each that failed.

    Raises:
        OSError: if the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SUMMARY_NAME, {"photos": list(photos), "failures": list(failures)})


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that people can read too; numbers that JSON does not know (NaN, infinity) are refused.

    Bytes of a file name that are no UTF-8 become the escapes that Python's `json` reads as the same name.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_bytes((text + "\n").encode("utf-8", errors="backslashreplace"))
