"""Prompts that a person writes down: lists, arrays, one box, one point per prompt."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import PromptError
from ..types import Floats, Ints, Prompts


def prompts_from(
    *,
    boxes: npt.ArrayLike | None,
    points: npt.ArrayLike | None,
    labels: npt.ArrayLike | None,
    multimask: bool,
) -> Prompts:
    """Make prompts of what a person gives.

    Args:
        boxes: (N, 4) or (4,), x0 y0 x1 y1.
        points: (N, P, 2), or (N, 2) for one point per prompt.
        labels: (N, P) or (N,), 1 foreground, 0 background; left out, every point is foreground.
        multimask: ask for three masks per prompt.

    Raises:
        PromptError: if they do not fit each other.
    """
    box_array = None if boxes is None else _numbers("boxes", boxes)
    if box_array is not None:
        box_array = box_array.reshape(-1, 4) if box_array.size in (0, 4) else box_array
        if box_array.ndim == 2 and box_array.shape[1] == 4 and (box_array[:, 2:] < box_array[:, :2]).any():
            raise PromptError(
                "Boxes are x0, y0, x1, y1 with x0 <= x1 and y0 <= y1; at least one is the other way round."
            )
    point_array: Floats | None = None
    label_array: Ints | None = None
    if points is not None:
        point_array = _numbers("points", points)
        if point_array.ndim == 1 and point_array.size == 0:
            point_array = point_array.reshape(0, 1, 2)
        elif point_array.ndim == 2:
            point_array = point_array[:, None]
        label_array = np.ones(point_array.shape[:2], dtype=np.int64)
        if labels is not None:
            given = _numbers("labels", labels)
            if not np.isin(given, (-1, 0, 1)).all():
                raise PromptError("Labels are 1 for foreground and 0 for background; got another number.")
            label_array = given.astype(np.int64)
            if label_array.ndim == 1:
                label_array = label_array.reshape(-1, 1)
    elif labels is not None:
        raise PromptError("Labels describe points; give points too, or leave the labels out.")
    return Prompts(points=point_array, labels=label_array, boxes_xyxy=box_array, multimask=multimask)


def _numbers(name: str, values: npt.ArrayLike) -> Floats:
    try:
        return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise PromptError(f"{name} must be numbers in a regular array; got {values!r:.80}.") from None
