"""Places that a visitor points at, from the click to its answer.

The model answers later than clicks come, one after the other. So a place belongs to an object as soon as it is made:
what is done before its answer (a new object, another one, undo) finds everything in the order in which it was done.
Knows nothing of models. What was pointed at is kept in the visit, and goes with the photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import PromptError
from ..types import Masks, Picture
from .targets import Box, Target, Targets
from .visits import Visit

KEPT_AS = "targets"
"""Name of what is kept in the visit."""
_PLACES = "what became of each place"
_FAR = 1e9
"""Pixels, or shares: no place is so far away, nor is what is no number."""


@dataclass(frozen=True, eq=False)
class Place:
    """What became of a place.

    Args:
        target: its object as the place left it; None if it was taken back before it was made.
        is_waiting: whether its answer is still to come.
        after_loss: whether the page showed more before than was kept.
    """

    target: Target | None
    is_waiting: bool = True
    after_loss: bool = False


def targets_of(visit: Visit, picture: Picture) -> Targets:
    """What the visitor has pointed at on `picture` so far."""
    kept = visit.get(KEPT_AS) if visit.at_hand is picture else None
    return kept if isinstance(kept, Targets) else Targets(size_hw=(picture.shape[0], picture.shape[1]))


def keep_targets(visit: Visit, picture: Picture, targets: Targets) -> None:
    """What the visitor has pointed at on `picture` from here on."""
    visit.keep(KEPT_AS, targets, picture=picture, nbytes=targets.nbytes)


def make(
    visit: Visit,
    picture: Picture,
    place_id: str,
    placed: Mapping[str, Any],
    *,
    most_objects: int,
    most_points: int,
) -> Place:
    """Put a place where it belongs at this moment; once only, and not if it was taken back before.

    Args:
        placed: as `prompting.place` takes it.

    Raises:
        PromptError: it lies outside the picture, or is one too many, or no place at all.
    """
    with visit.lock:
        place = _places(visit).get(place_id)
        if place is None:
            before = targets_of(visit, picture)
            targets = _with_place(before, placed, most_objects=most_objects, most_points=most_points)
            keep_targets(visit, picture, targets)
            place = Place(targets.current, after_loss=not before.history and _whole(placed, "objects") > 0)
            _keep(visit, picture, {place_id: place})
        return place


def answer(visit: Visit, picture: Picture, place_id: str, candidates: Masks | None) -> None:
    """Give the object of a place its masks; None: there is nothing to ask, the place is all there is."""
    with visit.lock:
        place = _places(visit).get(place_id)
        if place is None or place.target is None or not place.is_waiting:
            return
        if candidates is not None:
            targets = targets_of(visit, picture).answered(candidates, target=place.target)
            keep_targets(visit, picture, targets)
        _keep(visit, picture, {place_id: replace(place, is_waiting=False)})


def withdraw(visit: Visit, place_id: str | None) -> None:
    """As if a place that waits for its answer had not been made: it gets none. What was done since stays."""
    with visit.lock:
        place, picture = _places(visit).get(place_id or ""), visit.at_hand
        if picture is None or place is None or place.target is None or not place.is_waiting:
            return
        keep_targets(visit, picture, targets_of(visit, picture).without_step(place.target))
        _keep(visit, picture, {place_id or "": replace(place, is_waiting=False)})


def take_back(visit: Visit, picture: Picture, place_ids: Sequence[str]) -> None:
    """Let those of the places that are not made yet never be made."""
    with visit.lock:
        unmade = [place_id for place_id in place_ids if not is_made(visit, place_id)]
        _keep(visit, picture, {place_id: Place(None) for place_id in unmade})


def is_made(visit: Visit, place_id: str) -> bool:
    """Whether a place was put where it belongs, answered or not."""
    place = _places(visit).get(place_id)
    return place is not None and place.target is not None


def is_taken_back(visit: Visit, place_id: str | None) -> bool:
    """Whether the visitor wants no answer to a place any more."""
    with visit.lock:
        place, kept = _places(visit).get(place_id or ""), visit.get(KEPT_AS)
        if place is None or not place.is_waiting:
            return False
        return place.target is None or not isinstance(kept, Targets) or not kept.holds(place.target)


def waiting(visit: Visit) -> tuple[str, ...]:
    """Ids of the places that are made and have no answer yet."""
    return tuple(
        key for key, place in _places(visit).items() if place.is_waiting and place.target is not None
    )


def _places(visit: Visit) -> dict[str, Place]:
    return visit.get(_PLACES) or {}


def _keep(visit: Visit, picture: Picture, changed: dict[str, Place]) -> None:
    visit.keep(_PLACES, _places(visit) | changed, picture=picture)


def _with_place(
    before: Targets, placed: Mapping[str, Any], *, most_objects: int, most_points: int
) -> Targets:
    in_pixels = placed.get("unit") == "pixels"
    height, width = (1, 1) if in_pixels else before.size_hw
    if placed.get("kind") == "box":
        x0, y0, x1, y1 = _box(placed.get("corners"))
        corners = _pixel(x0 * width), _pixel(y0 * height), _pixel(x1 * width), _pixel(y1 * height)
        return before.with_box(corners, most_objects=most_objects)
    if placed.get("kind") == "point":
        # Shares begin at the picture's edge, pixels at the middle of the first.
        edge = 0.0 if in_pixels else 0.5
        x, y = _number(placed.get("x")) * width - edge, _number(placed.get("y")) * height - edge
        label = 1 if _whole(placed, "label") == 1 else 0
        return before.with_point(_pixel(x), _pixel(y), label=label, most_points=most_points)
    raise PromptError("Point at the photo, or draw a box.")


def _pixel(place: float) -> float:
    return round(place, 2)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < _FAR:
        raise PromptError(f"A place on the photo is two numbers; got {value!r:.40}.")
    return float(value)


def _whole(placed: Mapping[str, Any], name: str) -> int:
    value = placed.get(name, 0)
    return value if isinstance(value, int) else 0


def _box(corners: object) -> Box:
    if not isinstance(corners, (list, tuple)) or len(corners) != 4:
        raise PromptError(f"A box is four numbers, x0, y0, x1, y1; got {corners!r:.60}.")
    x0, y0, x1, y1 = (_number(corner) for corner in corners)
    return x0, y0, x1, y1
