"""What the *Segment everything* tab does: runs that show masks as they come, looks at what is there, one mask alone."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

from ..errors import MobileSamError
from ..filters import filtered
from ..progress import Progress
from ..render import fit_within
from ..stored import StoredEmbedding
from ..types import Picture
from .decoding import Ask, Decoded, Found
from .numbering import numbered_like
from .steps import HasStage, Step
from .text import everything as text
from .viewing import (
    Look,
    Shown,
    Summary,
    alone_picture,
    colours_of,
    label_picture,
    one_mask,
    shown,
    table_rows,
    view_of,
)
from .visits import Visit, keeping

EverythingRun = Callable[..., Generator[Progress | StoredEmbedding | Found | Decoded, None, None]]
"""`run_everything` without its models, perhaps sent to a GPU."""
SHOWN, LOOKED, RUN = "shown", "looked", "run"
"""What a visit keeps: an edition with its `Shown`; the ask and look that it is of; and how the latest run is, which is
"running", "done" or "stopped"."""


@dataclass(frozen=True, eq=False)
class StageView:
    """What lies on the picture area.

    Args:
        edition: names what is shown, so that a click on something older is not taken for one on this.
        picture: the photo at the size of the page.
        labels: as `viewing.label_picture` makes them, of the same size.
        colours: one for each mask.
        size_wh: width and height of the photo.
        rows: of the table; None while masks are still coming.
        summary: the numbers; None while masks are still coming.
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
    visit: Visit, photo: str | None, ask: Ask, look: Look, *, run: EverythingRun, side: int
) -> Generator[HasStage | StageView, None, None]:
    """Run, or answer from what is decoded: steps, views of the masks that came so far, the view at the end.

    Args:
        visit: whose picture it is; keeps the embedding and all answers.
        photo: path of the upload; None takes the example, if that is seen.
        ask: what to ask; what was asked before is not asked again.
        run: `run_everything` with its models, perhaps sent to a GPU.
        side: longest side of pictures for the page.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Step("read")
    picture = visit.picture(visit.seen(photo))
    decoded: Decoded | None = visit.get(ask.source)
    if decoded is None or not decoded.answers(ask.max_prompts):
        # A larger grid has other points: it is asked anew. Further boxes come after those that were asked.
        before = None if decoded is None or decoded.is_grid else decoded
        skip = 0 if before is None else len(before.prompts)
        kept: tuple[str, Shown] | None = visit.get(SHOWN)
        known = None if kept is None else kept[1]
        looks: list[Found] = []
        running = run(picture, visit.embedding(ask.model), ask, skip)
        seen = with_looks(running, picture, before, look, side, looks=looks, known=known)
        visit.keep(RUN, "running", picture=picture)
        state = "stopped"
        try:
            with closing(keeping(visit, ask.model, picture, seen)) as items:
                for item in items:
                    if isinstance(item, Decoded):
                        decoded = joined(before, item, known)
                    else:
                        yield item
            state = "done"
        except GeneratorExit:
            # A part of the boxes answers a smaller budget; a part of a grid is no smaller grid.
            if looks and ask.sampler != "grid":
                part = joined(before, Decoded.so_far(looks, skip=skip), known)
                visit.keep(ask.source, part, picture=picture, nbytes=part.nbytes)
            raise
        finally:
            visit.keep(RUN, state, picture=picture)
        assert decoded is not None  # the last item of a run
        visit.keep(ask.source, decoded, picture=picture, nbytes=decoded.nbytes)
    visit.keep(RUN, "done", picture=picture)
    yield Step("draw")
    yield stage_view(visit, picture, decoded, ask, look, side=side)


def joined(before: Decoded | None, found: Decoded, known: Shown | None) -> Decoded:
    """What was found, after what was decoded before; else with the numbers of what was seen of the photo."""
    if before is not None:
        return before.extended(found)
    if known is None:
        return found
    seen = filtered(found.masks, found.filters)
    return replace(found, numbers=numbered_like(found.masks, seen, known.masks, known.numbers))


class FirstExample:
    """What the first example gave: made once per process, for the first visitor, and then shown to all at once."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Decoded, StoredEmbedding | None]] = {}

    def shown_to(self, visit: Visit, photo: str, ask: Ask, look: Look, *, side: int) -> StageView | None:
        """Give a new visitor what is there; None where nothing is, or the visitor has a photo already."""
        if visit.photo is not None or ask.source not in self._kept:
            return None
        decoded, embedding = self._kept[ask.source]
        picture, visit.example = visit.picture(photo), photo
        if embedding is not None:
            visit.keep_embedding(ask.model, embedding, picture=picture)
        visit.keep(ask.source, decoded, picture=picture, nbytes=decoded.nbytes)
        return look_again(visit, photo, ask, look, side=side)

    def steps(
        self, visit: Visit, photo: str, ask: Ask, look: Look, *, run: EverythingRun, side: int
    ) -> Generator[HasStage | StageView, None, None]:
        """Make it for a visitor who has no photo yet, as `segment_everything` does, and keep it for the others."""
        if visit.at_hand is not None:
            return
        visit.example = photo
        yield from segment_everything(visit, photo, ask, look, run=run, side=side)
        decoded = visit.get(ask.source)
        if decoded is not None and visit.photo == photo:
            self._kept = {ask.source: (decoded, visit.embedding(ask.model))}


def with_looks(
    running: Generator[Any, None, None],
    picture: Picture,
    before: Decoded | None,
    look: Look,
    side: int,
    *,
    looks: list[Found],
    known: Shown | None,
    now: Callable[[], float] = time.monotonic,
) -> Generator[Any, None, None]:
    """Turn what was found on the way into views; drawing takes a fifth of the time at most.

    Args:
        before: what was decoded before.
        looks: what was found is added here.
        known: what is seen of the photo.
    """
    skip = 0 if before is None else len(before.prompts)
    small: Picture | None = None
    next_look = 0.0
    with closing(running):
        for item in running:
            if not isinstance(item, Found):
                yield item
                continue
            looks.append(item)
            started = now()
            if started < next_look:
                continue
            part = joined(before, Decoded.so_far(looks, skip=skip), known)
            found = shown(part.masks, part.numbers, part.prompts, part.filters, look)
            small = fit_within(picture, side) if small is None else small
            yield _on_stage(picture, small, found, edition="")
            next_look = now() + 4 * (now() - started)


def stage_view(
    visit: Visit, picture: Picture, decoded: Decoded, ask: Ask, look: Look, *, side: int
) -> StageView:
    """What `look` leaves of what was decoded; the visit keeps it for clicks."""
    found, summary = view_of(decoded, look)
    edition = secrets.token_hex(4)
    visit.keep(SHOWN, (edition, found), picture=picture, nbytes=found.nbytes)
    visit.keep(LOOKED, (ask, look), picture=picture)
    view = _on_stage(picture, fit_within(picture, side), found, edition=edition)
    return StageView(**{**vars(view), "rows": table_rows(found), "summary": summary})


def look_again(visit: Visit, photo: str | None, ask: Ask, look: Look, *, side: int) -> StageView | None:
    """Another look at what is decoded of a photo, without asking the model; None where nothing is."""
    picture, decoded = visit.at_hand, visit.get(ask.source)
    if picture is None or decoded is None or not visit.has(photo):
        return None
    return stage_view(visit, picture, decoded, ask, look, side=side)


def is_shown(visit: Visit, photo: str | None, ask: Ask, look: Look) -> bool:
    """Whether the last view was of this photo, and of this ask and look."""
    return visit.has(photo) and visit.get(LOOKED) == (ask, look)


def pick(visit: Visit, edition: str, index: int, *, side: int) -> MaskView | None:
    """One mask of what is shown; None for a click on something older.

    Raises:
        MobileSamError: if what is shown is no longer kept.
    """
    kept: tuple[str, Shown] | None = visit.get(SHOWN)
    if kept is None:
        raise MobileSamError(text.GONE)
    found = kept[1]
    if kept[0] != edition or not 0 <= index < len(found.masks):
        return None
    height, width = found.masks.size_hw
    scale = min(1.0, side / max(height, width))
    size_hw = max(1, round(height * scale)), max(1, round(width * scale))
    return MaskView(picture=alone_picture(found.masks, index, size_hw), mask=one_mask(found, index))


def _on_stage(picture: Picture, small: Picture, found: Shown, *, edition: str) -> StageView:
    return StageView(
        edition=edition,
        picture=small,
        labels=label_picture(found.masks, (small.shape[0], small.shape[1])),
        colours=colours_of(found.numbers),
        size_wh=(picture.shape[1], picture.shape[0]),
    )
