"""What *Segment everything* does: runs that show masks as they come, other views of what is decoded, one mask alone."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from ..errors import MobileSamError
from ..filters import KEEP_ALL
from ..raw_masks import RawMasks
from ..render import fit_within
from ..results import PartialMasks, SegmentationResult
from ..stored import StoredEmbedding
from ..types import Picture
from .jobs import Job
from .photo_runs import PhotoRun, read_photo, run_on
from .segmenting import RawRequest
from .sessions import Session
from .steps import HasStage, Step
from .text import everything as text
from .viewing import (
    Controls,
    Shown,
    Summary,
    alone_picture,
    colours_of,
    label_picture,
    one_mask,
    shown_of,
    summary_of,
    table_rows,
)

RawRun = PhotoRun[RawRequest, PartialMasks | SegmentationResult]
"""`segmenting.run_raw` without its models, perhaps sent to a GPU."""
TAB = "segment"
VIEW = "view"
"""Under it a session keeps the `Viewed`."""


@dataclass(frozen=True, eq=False)
class MasksView:
    """What the mask viewer shows.

    Args:
        edition: names what is shown, so that a click on something older is not taken for one on this.
        picture: the photo at the size of the page.
        labels: as `viewing.label_picture` makes them, of the same size.
        colours: one for each mask.
        size_wh: width and height of the photo.
        rows: of the table; None while masks are still coming.
        summary: the record of the run; None while masks are still coming.
    """

    edition: str
    picture: Picture
    labels: Picture
    colours: list[str]
    size_wh: tuple[int, int]
    rows: list[list[float | None]] | None = None
    summary: Summary | None = None


@dataclass(frozen=True, eq=False)
class MaskView:
    """One mask alone: a picture of it at the size of the page, and what is known of it."""

    picture: Picture
    mask: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Viewed:
    """What a session shows: its edition, the masks, what the controls said, the number of the tab's latest job then."""

    edition: str
    shown: Shown
    controls: Controls
    job: int


def segment_everything(
    job: Job, photo: str | None, controls: Controls, *, run: RawRun, side: int
) -> Generator[HasStage | MasksView, None, None]:
    """Run, or answer from what is decoded: steps, views of the masks that came so far, the view at the end.

    What was decoded before is not asked again. Of a run whose job becomes stale the boxes stay that were decoded; a
    part of a grid is no grid, so nothing of it stays, and there is no view at the end.

    Args:
        job: its session keeps the embedding and all raw masks.
        photo: path of the upload; None takes the example, if that is seen.
        run: `run_raw` with its models, perhaps sent to a GPU.
        side: longest side of pictures for the page.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Step("read")
    session, picture = job.session, read_photo(job, photo)
    request = controls.request((picture.shape[0], picture.shape[1]))
    raw: RawMasks | None = session.get(controls.source)
    if raw is None or not raw.answers(request.prompts_at_most):
        # A larger grid has other points: it is asked anew. Further boxes come after those that were asked.
        before = None if raw is None or raw.is_grid else raw
        viewed: Viewed | None = session.get(VIEW)
        seen = None if viewed is None else viewed.shown
        asked = RawRequest(request, skip=0 if before is None else len(before.prompts))
        parts: list[PartialMasks] = []
        result: SegmentationResult | None = None
        with closing(run_on(job, picture, asked, controls.model, run=run)) as items:
            for item in _drawn_now_and_then(items, picture, before, seen, controls, side, parts=parts):
                if isinstance(item, SegmentationResult):
                    result = item
                else:
                    yield item
        if result is None and parts and not request.is_grid:
            result = SegmentationResult.of_partial(parts, filters=KEEP_ALL)
        raw = before if result is None else joined(before, RawMasks.of(result), seen)
        if raw is None or job.is_gone:
            return
        session.keep(controls.source, raw, picture=picture, nbytes=raw.nbytes)
    yield Step("draw")
    yield view_of(session, picture, raw, controls, side=side)


def joined(before: RawMasks | None, found: RawMasks, seen: Shown | None) -> RawMasks:
    """What was found, after what was decoded before; else with the numbers of what was seen of the photo."""
    if before is not None:
        return before.extended(found)
    return found if seen is None else found.numbered_like(seen.masks, seen.numbers)


def _drawn_now_and_then(
    items: Generator[Any, None, None],
    picture: Picture,
    before: RawMasks | None,
    seen: Shown | None,
    controls: Controls,
    side: int,
    *,
    parts: list[PartialMasks],
    now: Callable[[], float] = time.monotonic,
) -> Generator[Any, None, None]:
    """Turn masks that come into views of all so far, added to `parts`; drawing takes a fifth of the time at most."""
    small: Picture | None = None
    next_view = now() + 0.4
    for item in items:
        if not isinstance(item, PartialMasks):
            yield item
            continue
        parts.append(item)
        started = now()
        if started < next_view or len(item.prompts) == 0:
            continue
        so_far = RawMasks.of(SegmentationResult.of_partial(parts, filters=KEEP_ALL))
        # Of a grid that is not whole there is no smaller one to take.
        raw = replace(joined(before, so_far, seen), budget=controls.max_prompts)
        small = fit_within(picture, side) if small is None else small
        yield _drawn(picture, small, _shown_so_far(raw, controls), edition="")
        next_view = now() + max(0.4, 4 * (now() - started))


def _shown_so_far(raw: RawMasks, controls: Controls) -> Shown:
    found = controls if not raw.is_grid else replace(controls, max_prompts=10**9)
    return shown_of(raw, found)


class FirstExample:
    """What the first example gave: made once per process, for the first visitor, and then shown to all at once."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[RawMasks, StoredEmbedding | None]] = {}
        self._making = threading.Lock()

    def shown_to(self, session: Session, photo: str, controls: Controls, *, side: int) -> MasksView | None:
        """Give a new visitor what is there; None where nothing is, or the visitor has a photo already."""
        if session.photo is not None or controls.source not in self._kept:
            return None
        raw, embedding = self._kept[controls.source]
        picture, session.example = session.picture(photo), photo
        if embedding is not None:
            session.keep_embedding(controls.model, embedding, picture=picture)
        session.keep(controls.source, raw, picture=picture, nbytes=raw.nbytes)
        return view_again(session, photo, controls, side=side)

    def steps(
        self, session: Session, photo: str, controls: Controls, *, run: RawRun, side: int
    ) -> Generator[HasStage | MasksView, None, None]:
        """Make it for the visitors without a photo: one of them has it made, the others wait for that.

        It ends without a view for a visitor who asks for something, or chooses a photo, meanwhile.
        """
        while not self._making.acquire(timeout=0.2):
            if _is_busy(session):
                return
            yield Step("wait")
        try:
            view = self.shown_to(session, photo, controls, side=side)
            if view is not None:
                yield view
                return
            if _is_busy(session) or session.at_hand is not None:
                return
            session.example = photo
            job = Job(session, session.runs.latest, session.runs)
            with closing(segment_everything(job, photo, controls, run=run, side=side)) as items:
                for item in items:
                    if _is_busy(session):
                        return
                    yield item
            raw = session.get(controls.source)
            if raw is not None and raw.is_complete and session.photo == photo:
                self._kept = {controls.source: (raw, session.embedding(controls.model))}
        finally:
            self._making.release()


def _is_busy(session: Session) -> bool:
    """Whether the visitor asked for something, or chose a photo."""
    return bool(session.runs.latest or session.runs.dropped)


def view_of(session: Session, picture: Picture, raw: RawMasks, controls: Controls, *, side: int) -> MasksView:
    """What the controls leave of what is decoded; the session keeps it for clicks."""
    found = shown_of(raw, controls)
    edition = secrets.token_hex(4)
    viewed = Viewed(edition, found, controls, session.runs.latest_of.get(TAB, 0))
    session.keep(VIEW, viewed, picture=picture, nbytes=found.nbytes)
    view = _drawn(picture, fit_within(picture, side), found, edition=edition)
    return replace(view, rows=table_rows(found), summary=summary_of(raw, found, controls))


def view_again(session: Session, photo: str | None, controls: Controls, *, side: int) -> MasksView | None:
    """Another view of what is decoded of a photo, without asking the model; None where nothing is."""
    picture, raw = session.at_hand, session.get(controls.source)
    if picture is None or raw is None or not session.has(photo):
        return None
    return view_of(session, picture, raw, controls, side=side)


def viewed_by(session: Session, photo: str | None) -> Viewed | None:
    """What is shown of the photo that the visitor sees, or None."""
    viewed: Viewed | None = session.get(VIEW)
    return viewed if viewed is not None and session.has(photo) else None


def pick(session: Session, edition: str, index: int, *, side: int) -> MaskView | None:
    """One mask of what is shown; None for a click on something older.

    Raises:
        MobileSamError: if what is shown is no longer kept.
    """
    viewed: Viewed | None = session.get(VIEW)
    if viewed is None:
        raise MobileSamError(text.GONE)
    found = viewed.shown
    if viewed.edition != edition or not 0 <= index < len(found.masks):
        return None
    height, width = found.masks.size_hw
    scale = min(1.0, side / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    return MaskView(picture=alone_picture(found.masks, index, size_hw), mask=one_mask(found, index))


def _drawn(picture: Picture, small: Picture, found: Shown, *, edition: str) -> MasksView:
    return MasksView(
        edition=edition,
        picture=small,
        labels=label_picture(found.masks, (small.shape[0], small.shape[1])),
        colours=colours_of(found.numbers),
        size_wh=(picture.shape[1], picture.shape[0]),
    )
