"""Points and boxes as programs give them: plain lists, checked in sentences, and the masks they get."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import PromptError
from ..formatting import count
from ..render import fit_within, overlay
from ..types import Floats, Ints, Masks, Picture
from .prompting import Answer, Limits, PredictRun
from .steps import HasStage, Step
from .text import prompting as text
from .visits import Visit, keeping

_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts that can be decoded together: `Segmenter.predict` takes them.

    Args:
        places: which objects of the call they are about, int64 (N,).
        boxes: float32 (N, 4), or None.
        points, labels: float32 (N, P, 2) and int64 (N, P), or None.
    """

    places: Ints
    boxes: Floats | None
    points: Floats | None
    labels: Ints | None


@dataclass(frozen=True, eq=False)
class PredictView:
    """The answer for a program: an overlay with one mask of each object, and a record ready for JSON."""

    overlay: Picture
    record: dict[str, Any]


def asked_from(points: object, labels: object, boxes: object, *, limits: Limits) -> list[Asked]:
    """Read what a program asks, put together by the number of points: a model answers rows of one length.

    Args:
        points: `[[x, y], ...]` for one object, or a list of such lists for several; None or empty for no points.
        labels: 1 on the object, 0 beside it, nested as `points`; None: all are on it.
        boxes: `[x0, y0, x1, y1]` for one object, or a list of boxes; None or empty for no boxes.
        limits: how many objects, and points for each.

    Raises:
        PromptError: if something is of another form, or points and boxes are of different numbers of objects.
    """
    per_object = _points(_plain("points", points))
    given_labels = _labels(_plain("labels", labels), per_object)
    all_boxes = _boxes(_plain("boxes", boxes))
    if not per_object and not all_boxes:
        raise PromptError(text.NOTHING_ASKED)
    if per_object and all_boxes and len(per_object) != len(all_boxes):
        raise PromptError(
            f"Points are of {count(len(per_object), 'object')} and boxes of {count(len(all_boxes), 'object')}; give "
            "both for each object, or ask twice."
        )
    if max(len(per_object), len(all_boxes)) > limits.objects:
        raise PromptError(f"One call takes at most {count(limits.objects, 'object')}.")
    most = max(map(len, per_object), default=0)
    if most > limits.points:
        raise PromptError(f"An object takes at most {count(limits.points, 'point')}; got {most}.")
    counts = [len(some) for some in per_object] or [0] * len(all_boxes)
    groups = []
    for length in sorted(set(counts)):
        places = np.flatnonzero(np.array(counts) == length)
        groups.append(
            Asked(
                places=places,
                boxes=np.array([all_boxes[i] for i in places], dtype=np.float32) if all_boxes else None,
                points=np.array([per_object[i] for i in places], dtype=np.float32) if per_object else None,
                labels=np.array([given_labels[i] for i in places], dtype=np.int64) if per_object else None,
            )
        )
    return groups


def predict(
    visit: Visit,
    photo: str | None,
    asked: list[Asked],
    multimask: bool,
    model: str,
    *,
    run: PredictRun,
    display_side: int,
) -> Generator[HasStage | PredictView, None, None]:
    """Masks for what was asked: steps, then a view.

    Args:
        multimask: three masks for each object instead of one.
        run: `prompting.run_predict` with its models, perhaps sent to a GPU.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        PromptError: if a place lies outside the photo.
        MobileSamError: whatever else the model cannot do.
    """
    yield Step("read")
    picture = visit.picture(photo)
    for group in asked:
        _check_inside(group, picture)
    answers: list[Answer] = []
    for group in asked:
        given = group.boxes, group.points, group.labels, multimask, model
        with closing(keeping(visit, model, picture, run(picture, visit.embedding(model), *given))) as steps:
            for item in steps:
                if isinstance(item, Answer):
                    answers.append(item)
                else:
                    yield item
    yield Step("draw")
    masks, each = _in_order(asked, answers)
    ious = masks.predicted_iou.reshape(-1, each)
    best = np.arange(len(ious)) * each + ious.argmax(axis=1)
    drawn = overlay(fit_within(picture, display_side), masks.select(best))
    seconds = {"encode": answers[0].encode_seconds, "decode": sum(answer.seconds for answer in answers)}
    record = {
        "image": {"width": picture.shape[1], "height": picture.shape[0]},
        "model": answers[0].model,
        "device": answers[0].device,
        "objects": len(ious),
        "masks_per_object": each,
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
        "masks": masks.to_coco(),
    }
    yield PredictView(overlay=drawn, record=record)


def _in_order(asked: list[Asked], answers: list[Answer]) -> tuple[Masks, int]:
    """The masks of all groups, object by object as they were asked, and how many each object has."""
    masks = Masks.concatenate([answer.masks for answer in answers])
    places = np.concatenate([group.places for group in asked])
    each = len(masks) // len(places)
    order = (np.argsort(places)[:, None] * each + np.arange(each)).reshape(-1)
    return replace(masks.select(order), prompt_index=np.repeat(np.sort(places), each)), each


def _plain(name: str, value: object) -> list[Any]:
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
    if not given:
        return []
    nested = all(
        isinstance(one, (list, tuple)) and len(one) and isinstance(one[0], (list, tuple)) for one in given
    )
    objects = given if nested else [given]
    return [[_numbers("A point", "[x, y]", point, 2) for point in some] for some in objects]


def _labels(given: list[Any], points: list[list[list[float]]]) -> list[list[int]]:
    if not given:
        return [[1] * len(some) for some in points]
    objects = given if all(isinstance(one, (list, tuple)) for one in given) else [given]
    if [len(some) for some in objects] != [len(some) for some in points]:
        raise PromptError("Labels describe points: one for each, in lists of the same lengths.")
    for label in (label for some in objects for label in some):
        if isinstance(label, bool) or label not in (0, 1):
            raise PromptError(f"A label is 1 on the object or 0 beside it; got {_short(label)}.")
    return [[int(label) for label in some] for some in objects]


def _boxes(given: list[Any]) -> list[list[float]]:
    if not given:
        return []
    nested = all(isinstance(one, (list, tuple)) for one in given)
    boxes = [_numbers("A box", "[x0, y0, x1, y1]", box, 4) for box in (given if nested else [given])]
    for box in boxes:
        if box[2] <= box[0] or box[3] <= box[1]:
            raise PromptError(
                f"A box is [x0, y0, x1, y1], x1 right of x0 and y1 below y0; got {_short(box)}."
            )
    return boxes


def _numbers(what: str, form: str, given: object, length: int) -> list[float]:
    fits = isinstance(given, (list, tuple)) and len(given) == length
    values = list(given) if isinstance(given, (list, tuple)) and fits else []
    if not values or not all(_is_number(value) for value in values):
        raise PromptError(f"{what} is {form}, numbers in pixels of the photo; got {_short(given)}.")
    return [float(value) for value in values]


def _is_number(value: object) -> bool:
    # As large as the arrays hold; NaN is not either.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _short(value: object) -> str:
    return f"{value!r:.60}"


def _check_inside(asked: Asked, picture: Picture) -> None:
    """Refuse points outside the photo, and boxes that have nothing of it inside."""
    height, width = picture.shape[:2]
    if asked.points is not None:
        for x, y in asked.points.reshape(-1, 2):
            if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                raise PromptError(text.outside((float(x), float(y)), (height, width)))
    for x0, y0, x1, y1 in [] if asked.boxes is None else asked.boxes:
        if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
            raise PromptError(text.outside((float(x0), float(y0)), (height, width)))
