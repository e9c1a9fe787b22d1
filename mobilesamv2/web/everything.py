"""What *Segment everything* does: runs that show masks as they come, other views of what is decoded, one mask alone."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from ..errors import MobileSamError
from ..filters import KEEP_ALL
from ..images import ReadImage
from ..progress import Progress
from ..raw_masks import RawMasks
from ..render import fit_within
from ..request import MOST_PROMPTS
from ..results import PartialMasks, SegmentationResult
from ..stored import StoredEmbedding
from ..types import Picture
from .jobs import Job
from .mask_views import (
    Shown,
    Summary,
    ViewRequest,
    alone_picture,
    label_picture,
    one_mask,
    shown_of,
    summary_of,
    table_rows,
)
from .model_lock import ModelLock
from .runs import Everything, Run
from .sessions import Session
from .text import everything as text

VIEW = "view"
"""Under it a session keeps what it shows at the moment, a `Shown`."""
_SECONDS_BETWEEN_VIEWS = 0.4
"""Of masks that are still coming: each is drawn and sent."""


@dataclass(frozen=True, eq=False)
class MasksView:
    """What the mask viewer shows.

    Args:
        edition: of the `Shown`.
        picture: the photo at the size of the page.
        labels: as `mask_views.label_picture` makes them, of the same size.
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


def segment_everything(
    job: Job, photo: str | None, wanted: ViewRequest, *, run: Run, side: int
) -> Generator[Progress | MasksView, None, None]:
    """Run, or answer from what is decoded: steps, views of the masks that came so far, the view at the end.

    Boxes that were decoded before are not asked again. Of a run whose job becomes stale the prompts stay that were
    decoded; a part of a grid is no grid, so nothing of it stays, and there is no view at the end.

    Args:
        job: its session keeps the embedding and all raw masks.
        photo: path of the upload; None takes the example, if that is seen.
        run: where the model is.
        side: longest side of pictures for the page.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Progress("read")
    session, picture, request = job.session, job.read(photo), wanted.request
    raw: RawMasks | None = session.get(wanted.source)
    if raw is None or not raw.answers(request.prompts_at_most):
        # A larger grid has other points, and further rounds depend on the masks of those before: they are asked anew.
        # Further boxes come after those that were asked.
        before = None if raw is None or raw.is_square or raw.is_adaptive else raw
        seen: Shown | None = session.get(VIEW)
        asked = Everything(request, is_raw=True, skip=0 if before is None else len(before.prompts))
        parts: list[PartialMasks] = []
        result: SegmentationResult | None = None
        small, next_view = fit_within(picture.picture, side), time.monotonic() + _SECONDS_BETWEEN_VIEWS
        with closing(job.follow(run, picture, asked, wanted.model)) as items:
            for item in items:
                if isinstance(item, SegmentationResult):
                    result = item
                elif isinstance(item, PartialMasks):
                    parts.append(item)
                    started = time.monotonic()
                    if started >= next_view and len(item.prompts):
                        found = _joined(before, RawMasks.of(_of_parts(parts)), seen)
                        yield _drawn(picture.picture, small, shown_of(found, _unlimited(wanted)))
                        # Drawing takes a fifth of the time at most.
                        next_view = max(started + _SECONDS_BETWEEN_VIEWS, 5 * time.monotonic() - 4 * started)
                elif isinstance(item, Progress):
                    yield item
        if result is None and parts and not request.kind.is_square:
            result = _of_parts(parts)
        if result is not None:
            found = _joined(before, RawMasks.of(result), seen)
            if raw is None or found.is_complete or len(found.prompts) > len(raw.prompts):
                raw = found
        elif before is None:
            return
        if raw is None or job.is_gone:
            return
        session.keep(wanted.source, raw, picture=picture, nbytes=raw.nbytes)
    yield Progress("draw")
    yield view_of(session, picture, raw, wanted, side=side)


def _of_parts(parts: list[PartialMasks]) -> SegmentationResult:
    return SegmentationResult.of_partial(parts, filters=KEEP_ALL)


def _unlimited(wanted: ViewRequest) -> ViewRequest:
    """The same without a budget: of a grid that is not whole there is no smaller one to take."""
    if not wanted.request.kind.is_square:
        return wanted
    return replace(wanted, request=replace(wanted.request, max_prompts=None, points_per_side=math.isqrt(MOST_PROMPTS)))


def _joined(before: RawMasks | None, found: RawMasks, seen: Shown | None) -> RawMasks:
    """What was found, after what was decoded before; else with the numbers of what was seen of the photo."""
    if before is not None:
        return before.extended(found)
    return found if seen is None else found.numbered_like(seen.masks, seen.numbers)


class FirstExample:
    """Masks of the first example: made once per process, for the first visitor, and shown to all others at once."""

    def __init__(self) -> None:
        self._kept: tuple[ViewRequest, RawMasks, StoredEmbedding | None] | None = None
        self._lock = ModelLock()
        """Held by the one visitor who makes it; those who come early wait."""

    def shown_to(self, session: Session, photo: str, wanted: ViewRequest, *, side: int) -> MasksView | None:
        """Give a new visitor what is there; None where nothing is, or the visitor has a photo already."""
        if session.photo is not None or self._kept is None or self._kept[0].source != wanted.source:
            return None
        _, raw, embedding = self._kept
        picture, session.example = session.picture(photo), photo
        if embedding is not None:
            session.keep_embedding(wanted.model, embedding, picture=picture)
        session.keep(wanted.source, raw, picture=picture, nbytes=raw.nbytes)
        return view_again(session, photo, wanted, side=side)

    def steps(
        self, session: Session, photo: str, wanted: ViewRequest, *, run: Run, side: int
    ) -> Generator[Progress | MasksView, None, None]:
        """Make it, or wait until another visitor has made it. Nothing for visitors who want something else by now."""

        def made() -> Generator[Progress | MasksView, None, None]:
            view = self.shown_to(session, photo, wanted, side=side)
            if view is not None:
                yield view
            if view is not None or session.at_hand is not None:
                return
            session.example = photo
            yield from segment_everything(question, photo, wanted, run=run, side=side)
            raw = session.get(wanted.source)
            if raw is not None and raw.is_complete and session.photo == photo:
                self._kept = self._kept or (wanted, raw, session.embedding(wanted.model))

        question = Job(session, 0, session.runs)
        with closing(self._lock.run(made)) as items:
            for item in items:
                if session.runs.latest or session.runs.dropped:  # a run was begun, or a photo chosen
                    return
                yield item


def view_of(session: Session, picture: ReadImage, raw: RawMasks, wanted: ViewRequest, *, side: int) -> MasksView:
    """What the filters leave of what is decoded; the session keeps it for clicks."""
    found = replace(shown_of(raw, wanted), edition=secrets.token_hex(4))
    session.keep(VIEW, found, picture=picture, nbytes=found.nbytes)
    view = _drawn(picture.picture, fit_within(picture.picture, side), found)
    return replace(view, rows=table_rows(found), summary=summary_of(raw, found, wanted.request))


def view_again(session: Session, photo: str | None, wanted: ViewRequest, *, side: int) -> MasksView | None:
    """Another view of what is decoded of a photo, without asking the model; None where nothing is."""
    picture, raw = session.at_hand, session.get(wanted.source)
    if picture is None or raw is None or not session.has(photo):
        return None
    return view_of(session, picture, raw, wanted, side=side)


def shown_to(session: Session, photo: str | None) -> Shown | None:
    """What is shown of the photo that the visitor sees, or None."""
    found: Shown | None = session.get(VIEW)
    return found if session.has(photo) else None


def pick(session: Session, edition: str, index: int, *, side: int) -> MaskView | None:
    """One mask of what is shown; None for a click on something older.

    Raises:
        MobileSamError: if what is shown is no longer kept.
    """
    found: Shown | None = session.get(VIEW)
    if found is None:
        raise MobileSamError(text.GONE)
    if found.edition != edition or not 0 <= index < len(found.masks):
        return None
    height, width = found.masks.size_hw
    scale = min(1.0, side / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    return MaskView(picture=alone_picture(found.masks, index, size_hw), mask=one_mask(found, index))


def _drawn(picture: Picture, small: Picture, found: Shown) -> MasksView:
    return MasksView(
        edition=found.edition,
        picture=small,
        labels=label_picture(found.masks, (small.shape[0], small.shape[1])),
        colours=["#" + bytes(colour).hex() for colour in found.colours],
        size_wh=(picture.shape[1], picture.shape[0]),
    )
