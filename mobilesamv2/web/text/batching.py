"""Sentences of *Several photos*."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Protocol

from ...formatting import count, number, seconds
from ..steps import HasStage
from . import page

PHOTOS_LABEL = "Photos, at most {most}"
RUN = "Segment all"
FILES_TITLE = "Sampler and files"
IDLE = "Choose several photos: each is segmented with the settings here, and all results come in one ZIP."
NO_PHOTOS = "There are no photos yet: choose some first."
GALLERY_LABEL = "Photos that are done"


class OfPhoto(HasStage, Protocol):
    """A step of one photo of several."""

    @property
    def photo(self) -> str: ...
    @property
    def place(self) -> int: ...
    @property
    def photos(self) -> int: ...


def step(of: OfPhoto) -> str:
    """Where the run is: which photo, and what is done with it."""
    where = f"Photo {number(of.place + 1)} of {number(of.photos)}: {escape(of.photo)}"
    return f'<p class="note">{where}</p>{page.step(of.stage, of.done, of.total)}'


def stopped(photos: int) -> str:
    """What a cancelled run leaves."""
    return (
        f"Cancelled; the ZIP holds the {count(photos, 'photo')} that {'was' if photos == 1 else 'were'} done."
    )


def caption(record: dict[str, Any]) -> str:
    """What is below a photo in the gallery."""
    return f"{record['photo']}: {count(record['masks'], 'mask')}"


def failures(failed: Sequence[dict[str, str]]) -> str:
    """Each photo that could not be done, with the reason."""
    return "".join(f'<p class="problem" role="alert">{escape(one["error"])}</p>' for one in failed)


def numbers(summary: dict[str, Any]) -> str:
    """All photos together, and a row for each; where none was done, only what failed."""
    photos = summary["photos"]
    if not photos:
        return failures(summary["failures"])
    took = sum(record["seconds_in_all"] for record in photos)
    facts = (
        (number(len(photos)), "photo" if len(photos) == 1 else "photos"),
        (number(sum(record["masks"] for record in photos)), "masks"),
        (seconds(took), f"on {photos[0]['device']}"),
    )
    tiles = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in facts)
    rows = "".join(
        f'<tr><th scope="row">{escape(record["photo"])}</th><td>{number(record["width"])} × {number(record["height"])}'
        f"</td><td>{number(record['prompts'])}</td><td>{number(record['masks'])}</td>"
        f"<td>{seconds(record['seconds_in_all'])}</td></tr>"
        for record in photos
    )
    table = (
        '<table><thead><tr><th scope="col">Photo</th><th scope="col">Pixels</th>'
        '<th scope="col">Prompts</th><th scope="col">Masks</th><th scope="col">Time</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return f'<div class="outcome"><dl class="facts">{tiles}</dl>{failures(summary["failures"])}{table}</div>'
