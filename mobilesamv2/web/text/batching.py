"""Sentences of *Several photos*."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ...formatting import count, number, seconds
from . import page
from .tables import table, tiles

PHOTOS_LABEL = "Photos, at most {most}"
RUN = "Segment all"
FILES_TITLE = "Sampler and files"
IDLE = "Choose several photos: each is segmented with the settings here, and all results come in one ZIP."
NO_PHOTOS = "There are no photos yet: choose some first."
GALLERY_LABEL = "Photos that are done"


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
