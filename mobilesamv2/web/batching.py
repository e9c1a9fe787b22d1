"""What *Several photos* does: one after the other, each into the same ZIP; a bad one does not stop the others.

No components, no lent GPUs. Nothing of it is kept in a visit: one picture is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ..errors import InvalidImageError, PromptError
from ..export import (
    SUMMARY_NAME,
    add_file,
    coco_dataset,
    files_of,
    json_bytes,
    numbered,
    result_record,
    safe_name,
)
from ..formatting import count
from ..render import fit_within, overlay
from ..types import Masks, Picture, SegmentationResult
from .segmenting import SegmentRun
from .steps import HasStage, Step
from .text import batching as text
from .visits import Visit, keeping

ALL_MASKS = "coco.json"
"""Beside the folders: the masks of all photos as one data set."""


@dataclass(frozen=True)
class PhotoStep:
    """A step of one photo of several, readable as a `Step` too."""

    stage: str
    done: int
    total: int
    photo: str
    place: int
    photos: int


@dataclass(frozen=True, eq=False)
class PhotoDone:
    """One photo that is in the ZIP: its overlay, small, and its record."""

    overlay: Picture
    record: dict[str, Any]


@dataclass(frozen=True)
class PhotoFailed:
    """One photo that could not be read, with the reason in a sentence."""

    photo: str
    error: str


@dataclass(frozen=True, eq=False)
class BatchView:
    """The end: what was done and what failed, ready for JSON."""

    summary: dict[str, Any]


def check_number(photos: Sequence[str], *, most: int) -> None:
    """Refuse no photos, and more than `most`.

    Raises:
        PromptError: with what to do.
    """
    if not photos:
        raise PromptError(text.NO_PHOTOS)
    if len(photos) > most:
        raise PromptError(f"There are {count(len(photos), 'photo')}; at most {most} are taken at once.")


def batch(
    photos: Sequence[str],
    sampler: str,
    max_prompts: int,
    model: str,
    formats: Sequence[str],
    archive: Path,
    *,
    run: SegmentRun,
    thumbnail_side: int,
) -> Generator[HasStage | PhotoDone | PhotoFailed | BatchView, None, None]:
    """Segment everything in each photo: steps and photos as they are done, and the summary at the end.

    Stopped at any time, it leaves a ZIP of the photos that were done, with their data set and summary; a photo is in it
    as a whole or not at all.

    Args:
        photos: paths of files as they were uploaded; the names of the files name the folders. Of files of one name
            the folder is told too: "cat/cat.png", "cat-2/cat.png".
        formats: of `mobilesamv2.export.FORMATS`.
        archive: where the ZIP goes.
        run: `segmenting.run_segment` with its models, perhaps sent to a GPU.
        thumbnail_side: longest side of the overlays that are yielded.

    Raises:
        MobileSamError: whatever stops all photos, such as a model that cannot be had.
    """
    names = [Path(photo).name for photo in photos]
    folders = numbered(map(safe_name, names), taken=(SUMMARY_NAME, ALL_MASKS))
    records: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    found: list[tuple[str, Masks]] = []
    summary = {"photos": records, "failures": failures}
    with ZipFile(archive, "w") as packed:
        try:
            for place, (photo, name, folder) in enumerate(zip(photos, names, folders, strict=True)):

                def step(of: HasStage, name: str = name, place: int = place) -> PhotoStep:
                    return PhotoStep(of.stage, of.done, of.total, name, place, len(photos))

                yield step(Step("read"))
                visit = Visit()
                try:
                    picture = visit.picture(photo)
                except InvalidImageError as error:
                    failures.append({"photo": name, "error": str(error)})
                    yield PhotoFailed(name, str(error))
                    continue
                running = run(picture, None, sampler, max_prompts, model)
                with closing(keeping(visit, model, picture, running)) as steps:
                    for item in steps:
                        if isinstance(item, SegmentationResult):
                            result = item
                        else:
                            yield step(item)
                yield step(Step("pack"))
                # No step in here: what is stopped is stopped between photos.
                for path, content in files_of(
                    picture, result.masks, formats=formats, file_name=name, info=result_record(result)
                ):
                    add_file(packed, f"{folder}/{path}", content)
                only = f"{folder}/{name}" if names.count(name) > 1 else name
                record = _record(only, folder, result)
                records.append(record)
                found.append((only, result.masks))
                small = overlay(fit_within(picture, thumbnail_side), result.masks)
                yield PhotoDone(overlay=small, record=record)
        finally:  # also of what is stopped
            if "coco" in formats:
                add_file(packed, ALL_MASKS, json_bytes(coco_dataset(found)))
            add_file(packed, SUMMARY_NAME, json_bytes(summary))
    yield BatchView(summary)


def _record(photo: str, folder: str, result: SegmentationResult) -> dict[str, Any]:
    """What the summary says of a photo that is done."""
    height, width = result.masks.size_hw
    return {"photo": photo, "folder": folder, "width": width, "height": height, **result_record(result)}
