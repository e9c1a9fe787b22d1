"""Reads points, labels and boxes that come as JSON, from programs and from the page, as prompts of the library.

Knows the JSON forms and the limits. Nothing of pictures or models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import PromptError
from ..formatting import count
from ..prompts.given import prompts_from
from ..types import Prompts
from .text import prompting as text

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Limits:
    """How many objects one call may ask about, and how many points each of them may have."""

    objects: int
    points: int


def read_prompts(
    points: object, labels: object, boxes: object, *, multimask: bool = False, limits: Limits
) -> list[Prompts]:
    """One `Prompts` of length 1 for each object.

    Args:
        points: `[[x, y], ...]` in pixels for one object, or a list of such lists for several; None or empty: none.
        labels: 1 on the object, 0 beside it, nested as `points`; None: all are on it.
        boxes: `[x0, y0, x1, y1]` for one object, or a list of boxes; None or empty: none.
        multimask: three masks for each object instead of one.

    Raises:
        PromptError: something has another form, or points and boxes are of different numbers of objects.
    """
    all_points = _points(_listed("points", points))
    all_labels = _labels(_listed("labels", labels), all_points)
    all_boxes = _boxes(_listed("boxes", boxes))
    if not all_points and not all_boxes:
        raise PromptError(text.NOTHING_ASKED)
    if all_points and all_boxes and len(all_points) != len(all_boxes):
        raise PromptError(
            f"Points are of {count(len(all_points), 'object')} and boxes of {count(len(all_boxes), 'object')}; give "
            "both for each object, or ask twice."
        )
    objects = max(len(all_points), len(all_boxes))
    if objects > limits.objects:
        raise PromptError(f"One call takes at most {count(limits.objects, 'object')}.")
    most = max(map(len, all_points), default=0)
    if most > limits.points:
        raise PromptError(f"An object takes at most {count(limits.points, 'point')}; got {most}.")
    return [
        prompts_from(
            points=[all_points[i]] if all_points else None,
            labels=[all_labels[i]] if all_points else None,
            boxes=[all_boxes[i]] if all_boxes else None,
            multimask=multimask,
        )
        for i in range(objects)
    ]


def _listed(name: str, value: object) -> list[Any]:
    """A list, also where it comes as its JSON text or not at all."""
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            found = value
    if found is None:
        return []
    if not isinstance(found, (list, tuple)):
        raise PromptError(f"{name} must be a list of numbers; got {_short(value)}.")
    return list(found)


def _points(given: list[Any]) -> list[list[list[float]]]:
    nested = all(_is_list(one) and len(one) and _is_list(one[0]) for one in given)
    objects = given if nested else [given]  # nothing given is no object
    return [[_numbers("A point", "[x, y]", point, 2) for point in some] for some in objects]


def _labels(given: list[Any], points: list[list[list[float]]]) -> list[list[int]]:
    if not given:
        return [[1] * len(some) for some in points]
    objects = given if all(map(_is_list, given)) else [given]
    if [len(some) for some in objects] != [len(some) for some in points]:
        raise PromptError("Labels describe points: one for each, in lists of the same lengths.")
    for label in (label for some in objects for label in some):
        if isinstance(label, bool) or label not in (0, 1):
            raise PromptError(f"A label is 1 on the object or 0 beside it; got {_short(label)}.")
    return [[int(label) for label in some] for some in objects]


def _boxes(given: list[Any]) -> list[list[float]]:
    objects = given if all(map(_is_list, given)) else [given]
    boxes = [_numbers("A box", "[x0, y0, x1, y1]", box, 4) for box in objects]
    for box in boxes:
        if box[2] <= box[0] or box[3] <= box[1]:
            raise PromptError(
                f"A box is [x0, y0, x1, y1], x1 right of x0 and y1 below y0; got {_short(box)}."
            )
    return boxes


def _numbers(what: str, form: str, given: object, length: int) -> list[float]:
    values = list(given) if isinstance(given, (list, tuple)) else []
    if len(values) != length or not all(map(_is_number, values)):
        raise PromptError(f"{what} is {form}, numbers in pixels of the photo; got {_short(given)}.")
    return [float(value) for value in values]


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_number(value: object) -> bool:
    # No larger than the arrays hold; NaN fails the comparison too.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _short(value: object) -> str:
    return f"{value!r:.60}"
