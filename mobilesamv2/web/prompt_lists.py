"""Reads points, labels and boxes that come as JSON, from programs and from the page. Knows no pictures or models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import PromptError
from ..formatting import count
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
    all_points = [
        [_numbers("A point", "[x, y]", point, 2) for point in one or [None]] for one in _objects("points", points, 2)
    ]
    all_boxes = [_numbers("A box", "[x0, y0, x1, y1]", box, 4) for box in _objects("boxes", boxes, 1)]
    all_labels = _objects("labels", labels, 1) or [[1] * len(one) for one in all_points]
    if [len(one) for one in all_labels] != [len(one) for one in all_points]:
        raise PromptError("Labels describe points: one for each, in lists of the same lengths.")
    for label in (label for one in all_labels for label in one):
        if label not in (0, 1):  # true and false, too
            raise PromptError(f"A label is 1 on the object or 0 beside it; got {_short(label)}.")
    for box in all_boxes:
        if box[2] <= box[0] or box[3] <= box[1]:
            raise PromptError(f"A box is [x0, y0, x1, y1], x1 right of x0 and y1 below y0; got {_short(box)}.")
    if not all_points and not all_boxes:
        raise PromptError(text.NOTHING_ASKED)
    if all_points and all_boxes and len(all_points) != len(all_boxes):
        numbers = f"of {count(len(all_points), 'object')} and boxes of {count(len(all_boxes), 'object')}"
        raise PromptError(f"Points are {numbers}; give both for each object, or ask twice.")
    objects, most = max(len(all_points), len(all_boxes)), max(map(len, all_points), default=0)
    if objects > limits.objects:
        raise PromptError(f"One call takes at most {count(limits.objects, 'object')}.")
    if most > limits.points:
        raise PromptError(f"An object takes at most {count(limits.points, 'point')}; got {most}.")
    return [
        Prompts(
            points=np.array(all_points[i : i + 1], dtype=np.float32) if all_points else None,
            labels=np.array(all_labels[i : i + 1], dtype=np.int64) if all_points else None,
            boxes_xyxy=np.array(all_boxes[i : i + 1], dtype=np.float32) if all_boxes else None,
            multimask=multimask,
        )
        for i in range(objects)
    ]


def _objects(name: str, value: object, depth: int) -> list[list[Any]]:
    """A list for each object, also where only one is given, or all as JSON text.

    Args:
        depth: of the lists that describe one object.
    """
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError):
            found = value
    if not isinstance(found, (list, tuple, type(None))):
        raise PromptError(f"{name} must be a list of numbers; got {_short(value)}.")
    innermost: Any = found
    for _ in range(depth):
        innermost = innermost[0] if _is_list(innermost) and innermost else None
    objects = found if _is_list(innermost) or not found else [found]
    return [list(one) if _is_list(one) else [one] for one in objects or []]


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
