"""What the page's buttons do: plain generators that yield steps on the way and a view at the end.

They know nothing of components or of GPUs that are lent by the call, and keep nothing of a visitor.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..comparison import Comparison, compare_steps
from ..errors import InvalidImageError, MobileSamError, UnknownModelError
from ..images import load_image
from ..render import draw_prompts, fit_within, overlay
from ..segmenter import Progress, Segmenter
from ..types import Picture, Prompts, SegmentationResult
from . import text
from .settings import EMBEDDED_MODEL

log = logging.getLogger(__name__)

Summary = dict[str, Any]
"""The numbers of a run, ready for JSON: what the page shows and what programs get."""
SegmentRun = Callable[[Picture, str, int, str], Generator[Progress | SegmentationResult, None, None]]
"""picture, sampler, max_prompts, model -> progress, then the result. Runs where the model is."""
CompareRun = Callable[[Picture, int, int, str], Generator[Progress | Comparison, None, None]]
"""picture, max_prompts, points_per_side, model -> progress, then the comparison."""


class Models:
    """The loaded models by name. All visitors share them; nothing of a visitor is in here.

    Args:
        load: gives the model of a name, or raises a `MobileSamError`.
        names: the names on the menu.
        first: loaded at once. If that fails, the embedded model takes its place and the log says why.
        load_all: load the others at once too; those that fail are left out of `names`.
    """

    def __init__(
        self, load: Callable[[str], Segmenter], *, names: Sequence[str], first: str, load_all: bool = False
    ) -> None:
        self._load = load
        self._loaded: dict[str, Segmenter] = {}
        self._loading = threading.Lock()
        self.names = tuple(names)
        self.first = first if first == EMBEDDED_MODEL or self._try(first) else EMBEDDED_MODEL
        self.device = self.get(self.first).device_description
        if load_all:
            self.names = tuple(name for name in self.names if self._try(name))

    def get(self, name: str) -> Segmenter:
        """The model of that name, loaded now if it was not yet.

        Raises:
            UnknownModelError: no such name on the menu.
            WeightsError: its checkpoint cannot be had or read.
        """
        if name not in self.names:
            raise UnknownModelError(
                f"There is no model {name!r} here; choose one of {', '.join(self.names)}."
            )
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._load(name)
            return self._loaded[name]

    def _try(self, name: str) -> bool:
        try:
            self.get(name)
        except MobileSamError as error:
            log.warning("The model %s is left out. %s", name, error)
            return False
        return True


class HasStage(Protocol):
    """What both `Progress` and `Step` can be read as."""

    @property
    def stage(self) -> str: ...
    @property
    def done(self) -> int: ...
    @property
    def total(self) -> int: ...


@dataclass(frozen=True)
class Step:
    """A step outside the model: reading the photo, drawing the result."""

    stage: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, eq=False)
class SegmentView:
    """One run, to be shown: the overlay at the size of the page and the numbers."""

    overlay: Picture
    summary: Summary


@dataclass(frozen=True, eq=False)
class CompareView:
    """Both runs, to be shown: equal pictures for a slider, grid search left, without and with prompts."""

    overlays: tuple[Picture, Picture]
    with_prompts: tuple[Picture, Picture]
    summary: Summary


View = TypeVar("View", bound=SegmentView | CompareView)


def paced(
    items: Generator[HasStage | View, None, None],
    *,
    seconds: float = 0.2,
    now: Callable[[], float] = time.monotonic,
) -> Generator[HasStage | View, None, None]:
    """Leave out steps that follow another one of the same stage too soon: each costs a message to the browser.

    A view always comes through. Closing this closes `items`.
    """
    stage, shown_at = "", -math.inf
    with closing(items):
        for item in items:
            if isinstance(item, SegmentView | CompareView):
                yield item
            elif item.stage != stage or now() - shown_at >= seconds:
                stage, shown_at = item.stage, now()
                yield item


def run_segment(
    models: Models, picture: Picture, sampler: str, max_prompts: int, model: str
) -> Generator[Progress | SegmentationResult, None, None]:
    """Segment `picture`: progress, then the result as the last item. Closing it stops the model's work."""
    yield (yield from models.get(model).steps(picture, sampler=sampler, max_prompts=max_prompts))


def run_compare(
    models: Models, picture: Picture, max_prompts: int, points_per_side: int, model: str
) -> Generator[Progress | Comparison, None, None]:
    """Run both samplers on `picture`: progress, then the comparison as the last item."""
    yield (
        yield from compare_steps(
            models.get(model), picture, max_prompts=max_prompts, points_per_side=points_per_side
        )
    )


def segment(
    photo: str | None, sampler: str, max_prompts: int, model: str, *, run: SegmentRun, display_side: int
) -> Generator[HasStage | SegmentView, None, None]:
    """What *Segment everything* does: steps, then a view.

    Args:
        photo: path of the file as it was uploaded, unread.
        run: `run_segment` with its models, perhaps sent to a GPU.
        display_side: longest side of the overlay in pixels.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Step("read")
    picture = _read(photo)
    with closing(run(picture, sampler, max_prompts, model)) as steps:
        for item in steps:
            if isinstance(item, SegmentationResult):
                result = item
            else:
                yield item
    yield Step("draw")
    drawn = overlay(fit_within(picture, display_side), result.masks)
    yield SegmentView(overlay=drawn, summary=summary_of(result) | _sizes(picture, drawn))


def compare(
    photo: str | None,
    max_prompts: int,
    points_per_side: int,
    model: str,
    *,
    run: CompareRun,
    display_side: int,
) -> Generator[HasStage | CompareView, None, None]:
    """What *Compare samplers* does: steps, then a view. Arguments and errors as for `segment`."""
    yield Step("read")
    picture = _read(photo)
    with closing(run(picture, max_prompts, points_per_side, model)) as steps:
        for item in steps:
            if isinstance(item, Comparison):
                found = item
            else:
                yield item
    yield Step("draw")
    small = fit_within(picture, display_side)
    grid, aware = (overlay(small, result.masks) for result in (found.grid, found.object_aware))
    size_hw = (picture.shape[0], picture.shape[1])

    def asked(drawn: Picture, prompts: Prompts) -> Picture:
        return draw_prompts(drawn, prompts, size_hw=size_hw)

    yield CompareView(
        overlays=(grid, aware),
        with_prompts=(asked(grid, found.grid.prompts), asked(aware, found.object_aware.prompts)),
        summary=comparison_summary_of(found) | _sizes(picture, grid),
    )


def summary_of(result: SegmentationResult) -> Summary:
    """The numbers of one run; `hint` is a sentence where the run found nothing, else None."""
    return {
        "model": result.model,
        "device": result.device,
        "sampler": result.sampler,
        "prompts": len(result.prompts),
        "masks_decoded": result.masks_decoded,
        "masks": len(result.masks),
        "seconds": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "total_seconds": round(result.seconds, 4),
        "hint": text.hint(result.sampler, prompts=len(result.prompts), masks=len(result.masks)),
    }


def comparison_summary_of(found: Comparison) -> Summary:
    """The numbers of both runs; `speedup` is None where it cannot be told."""
    both = {
        name: summary_of(result) | {"sampling_seconds": round(found.sampling_seconds(result), 4)}
        for name, result in (("grid", found.grid), ("object_aware", found.object_aware))
    }
    speedup = round(found.speedup, 2) if math.isfinite(found.speedup) else None
    return both | {"speedup": speedup, "verdict": text.verdict(both["grid"], both["object_aware"], speedup)}


def _read(photo: str | None) -> Picture:
    if not photo:
        raise InvalidImageError(text.NO_PHOTO)
    return load_image(photo)


def _sizes(picture: Picture, drawn: Picture) -> Summary:
    (height, width), (drawn_height, drawn_width) = picture.shape[:2], drawn.shape[:2]
    return {"picture_size": [width, height], "overlay_size": [drawn_width, drawn_height]}
