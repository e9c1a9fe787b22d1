"""What *Several photos* does and says: one after the other, each into the same ZIP; a bad one stops no other.

No components, no lent GPUs. Nothing of it is kept in a session: one picture is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ..errors import InvalidImageError, PromptError
from ..export import (
    DATASET_NAMES,
    SUMMARY_NAME,
    add_file,
    dataset_files,
    files_of,
    json_bytes,
    numbered,
    safe_name,
)
from ..formatting import count, number, seconds
from ..progress import Progress
from ..render import fit_within, overlay
from ..request import Request
from ..results import SegmentationResult
from ..types import Masks, Picture
from .jobs import Job
from .runs import Everything, Run
from .text import page
from .text.tables import table, tiles
from .uploads import name_of, read_upload

PHOTOS_LABEL = "Photos, at most {most}"
RUN = "Segment all"
IDLE = "Choose several photos: each is segmented with the settings here, and all results come in one ZIP."
NO_PHOTOS = "There are no photos yet: choose some first."

Summary = dict[str, list[dict[str, Any]]]
"""What was done ("photos") and what failed ("failures"), ready for JSON."""


@dataclass(frozen=True)
class PhotoStep(Progress):
    """Progress of one photo of several; `place` counts from 0."""

    photo: str = ""
    place: int = 0
    photos: int = 0


@dataclass(frozen=True, eq=False)
class PhotoDone:
    """One photo that is in the ZIP: its overlay, small, and its record."""

    overlay: Picture
    record: dict[str, Any]


def check_number(photos: Sequence[str], *, most: int) -> None:
    """Refuse no photos, and more than `most`.

    Raises:
        PromptError: with what to do.
    """
    if not photos:
        raise PromptError(NO_PHOTOS)
    if len(photos) > most:
        raise PromptError(f"There are {count(len(photos), 'photo')}; at most {most} are taken at once.")


def batch(
    job: Job,
    photos: Sequence[str],
    request: Request,
    model: str,
    formats: Sequence[str],
    archive: Path,
    *,
    run: Run,
    thumbnail_side: int,
) -> Generator[PhotoStep | PhotoDone | Summary, None, None]:
    """Segment everything in each photo: steps, photos as they are done, and the summary after each of them.

    Where the job is stale or this is closed, the ZIP holds the photos that were done, with their data set and summary;
    a photo is in it as a whole or not at all. Data sets are in the folder of each photo, and of all photos beside them.

    Args:
        photos: paths of files as they were uploaded (`Upload`); what the visitor called them names the folders. Of
            files of one name the folder is told too: "cat/cat.png", "cat-2/cat.png".
        formats: of `mobilesamv2.export.FORMATS`.
        archive: where the ZIP goes.
        thumbnail_side: longest side of the overlays that are yielded.

    Raises:
        MobileSamError: whatever stops all photos, such as a model that cannot be had.
    """
    names = [name_of(photo) for photo in photos]
    folders = numbered(map(safe_name, names), taken=(SUMMARY_NAME, *DATASET_NAMES))
    summary: Summary = {"photos": [], "failures": []}
    masks: list[tuple[str, Masks]] = []
    with ZipFile(archive, "w") as packed:
        try:
            for place, (photo, name, folder) in enumerate(zip(photos, names, folders, strict=True)):

                def step(of: Progress, name: str = name, place: int = place) -> PhotoStep:
                    return PhotoStep(of.stage, of.done, of.total, name, place, len(photos))

                yield step(Progress("read"))
                try:
                    picture = read_upload(photo, max_pixels=job.session.most_pixels)
                except InvalidImageError as error:
                    summary["failures"].append({"photo": name, "error": str(error)})
                    yield summary
                    continue
                result = None
                with closing(job.follow(run, picture, Everything(request), model)) as items:
                    for item in items:
                        if isinstance(item, SegmentationResult):
                            result = item
                        else:
                            yield step(item)
                if result is None:
                    break
                yield step(Progress("pack"))
                # No step in here: what is stopped is stopped between photos.
                record = result.to_record()
                files = files_of(picture.picture, result.masks, formats=formats, file_name=name, info=record)
                for path, content in files:
                    add_file(packed, f"{folder}/{path}", content)
                only = f"{folder}/{name}" if names.count(name) > 1 else name
                record = {"photo": only, "folder": folder, **record}
                summary["photos"].append(record)
                masks.append((only, result.masks))
                yield PhotoDone(overlay(fit_within(picture.picture, thumbnail_side), result.masks), record)
        finally:  # also of what is closed
            for path, content in dataset_files(masks, formats=formats, info={"model": model}):
                add_file(packed, path, content)
            add_file(packed, SUMMARY_NAME, json_bytes(summary))
    yield summary


def where(photo: str, *, place: int, photos: int) -> str:
    """Which photo a run is at; `place` counts from 0."""
    return f'<p class="note">Photo {number(place + 1)} of {number(photos)}: {escape(photo)}</p>'


def stopped(summary: dict[str, Any]) -> str:
    """What a cancelled run leaves, and what failed in it."""
    photos = len(summary["photos"])
    done = f"the {count(photos, 'photo')} that {'was' if photos == 1 else 'were'} done"
    sentence = f"Cancelled; the ZIP holds {done}." if photos else page.CANCELLED
    return failures(summary["failures"]) + page.idle(sentence)


def caption(record: dict[str, Any]) -> str:
    """What is below a photo in the gallery."""
    return f"{record['photo']}: {count(record['masks'], 'mask')}"


def failures(failed: Sequence[dict[str, str]]) -> str:
    """Each photo that could not be done, with the reason."""
    return "".join(f'<p class="problem" role="alert">{escape(one["error"])}</p>' for one in failed)


def numbers(summary: dict[str, Any]) -> str:
    """All photos together, and a row for each; where none was done, only what failed."""
    photos, failed = summary["photos"], failures(summary["failures"])
    if not photos:
        return failed
    facts = (
        (number(len(photos)), "photo" if len(photos) == 1 else "photos"),
        (number(sum(record["masks"] for record in photos)), "masks"),
        (seconds(sum(record["total_seconds"] for record in photos)), f"on {photos[0]['device']}"),
    )
    rows = [
        (
            record["photo"],
            (
                f"{number(record['image']['width'])} × {number(record['image']['height'])}",
                *(number(record[key]) for key in ("prompts", "masks")),
                seconds(record["total_seconds"]),
            ),
        )
        for record in photos
    ]
    head = ("Photo", "Pixels", "Prompts", "Masks", "Time")
    return f'<div class="outcome">{tiles(facts)}{failed}{table(head, rows)}</div>'
