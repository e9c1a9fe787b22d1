"""What *Point and box* does: masks for points and boxes, at once, on the one encoding that the visitor's photo has.

No components, no lent GPUs.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..progress import Progress
from ..render import fit_within, mask_layer
from ..stopwatch import Stopwatch
from ..stored import StoredEmbedding
from ..types import Masks, Picture
from . import places
from .encoding import encoded
from .models import Models
from .places import keep_targets, targets_of
from .steps import HasStage, Step
from .targets import Box, Target, Targets, colours_of
from .text import prompting as text
from .typed_places import read_place
from .visits import Visit, keeping

PredictRun = Callable[..., Generator[Any, None, None]]
"""`run_predict` without its models, perhaps sent to a GPU."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Masks for prompts, in their order, and what they took.

    Args:
        masks: three in a row for each prompt with `multimask`, otherwise one.
        seconds: of decoding.
        encode_seconds: of preparing and encoding the picture, now or earlier.
        model, device: names for people.
    """

    masks: Masks
    seconds: float
    encode_seconds: float
    model: str
    device: str


@dataclass(frozen=True)
class Limits:
    """How much one visitor may point at on one photo."""

    objects: int
    points: int


@dataclass(frozen=True, eq=False)
class PromptView:
    """What was pointed at, to be shown.

    Args:
        size_hw: height and width of the picture.
        layer: the chosen masks at the size of the page, uint8 (h, w, 4); None for no masks.
        objects: of each object `number`, `colour`, `active`, `points` (how many) and `box` (whether there is one);
            of its mask `area`, `share` and `predicted_iou`, None where there is none; and in shares of the
            picture's width and height `places` (x, y, label of each point) and `around` (the box, or None).
        candidates: `share` and `predicted_iou` of the masks to choose from; fewer than two: there is no choice.
        chosen: which one is.
        waiting: ids of the places among them that have no answer yet.
        summary: of the last answer, None where nothing was asked.
        note: a sentence, or None.
    """

    size_hw: tuple[int, int]
    layer: npt.NDArray[np.uint8] | None
    objects: list[dict[str, Any]]
    candidates: list[dict[str, float]]
    chosen: int
    waiting: tuple[str, ...] = ()
    summary: dict[str, Any] | None = None
    note: str | None = None


def run_predict(
    models: Models,
    picture: Picture,
    stored: StoredEmbedding | None,
    boxes: Any,
    points: Any,
    labels: Any,
    multimask: bool,
    model: str,
) -> Generator[Progress | StoredEmbedding | Answer, None, None]:
    """Ask about boxes and points (as `Segmenter.predict` takes them): progress, then the answer as the last item."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield Progress("decode", 0, 1)
    watch = Stopwatch(segmenter.device)
    with watch.stage("decode"):
        masks = segmenter.predict(embedding, boxes=boxes, points=points, labels=labels, multimask=multimask)
    yield Answer(
        masks=masks,
        seconds=watch.seconds["decode"],
        encode_seconds=sum(embedding.timings.values()),
        model=segmenter.name,
        device=segmenter.device_description,
    )


def prompts_of_predict(
    picture: Picture,
    stored: StoredEmbedding | None,
    boxes: Any,
    points: Any,
    labels: Any,
    multimask: bool,
    model: str,
) -> int:
    """How many prompts `run_predict` will ask."""
    return len(points) if points is not None else len(boxes) if boxes is not None else 0


def place(
    visit: Visit,
    photo: str | None,
    placed: Mapping[str, Any],
    model: str,
    *,
    run: PredictRun,
    limits: Limits,
    display_side: int,
) -> Generator[HasStage | PromptView, None, None]:
    """What a click or a drawn box does: steps, then a view.

    Args:
        visit: whose picture it is; keeps the embedding and what was pointed at.
        photo: path of the file as it was uploaded; None takes the example, if that is seen.
        placed: `{"kind": "point", "x", "y", "label"}` or `{"kind": "box", "corners": [x0, y0, x1, y1]}`, in shares of
            the picture's width and height, or with `"unit": "pixels"` in its pixels; `objects`: how many masks
            the page shows already; and `id`, by which the page can take it back before it is answered.
        run: `run_predict` with its models, perhaps sent to a GPU.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        PromptError: it lies outside the picture, or is one too many, or no place at all.
        MobileSamError: whatever else the model cannot do.
    """
    yield Step("read")
    picture = visit.picture(visit.seen(photo))
    place_id = placed.get("id") or secrets.token_hex(8)
    made = _made(visit, picture, place_id, placed, limits)
    summary, note = None, text.LOST if made.after_loss else None
    try:
        target, answer = made.target, None
        if target is not None and target.can_be_asked and not places.is_taken_back(visit, place_id):
            stored = visit.embedding(model)
            asked = run(picture, stored, *_prompts_of(target), model)
            with closing(keeping(visit, model, picture, asked)) as steps:
                for item in steps:
                    if isinstance(item, Answer):
                        answer, summary = item, _summary(item) | {"encoded_now": stored is None}
                    elif places.is_taken_back(visit, place_id):
                        break
                    elif targets_of(visit, picture).shows(target):
                        yield item
        else:
            note = text.ONLY_BESIDE
        with visit.lock:
            if places.is_taken_back(visit, place_id):
                summary, note = None, None
            elif answer is not None or note == text.ONLY_BESIDE:
                places.answer(visit, picture, place_id, None if answer is None else answer.masks)
    finally:
        places.withdraw(visit, place_id)  # where an answer did not come
    yield _view(visit, picture, display_side=display_side, summary=summary, note=note)


def note_place(visit: Visit, photo: str | None, placed: Mapping[str, Any], *, limits: Limits) -> None:
    """Put a place where it belongs, while `place` waits for its turn. Arguments and errors as for `place`."""
    picture, place_id = visit.picture(visit.seen(photo)), placed.get("id")
    if place_id:
        _made(visit, picture, place_id, placed, limits)


def _made(
    visit: Visit, picture: Picture, place_id: str, placed: Mapping[str, Any], limits: Limits
) -> places.Place:
    return places.make(
        visit, picture, place_id, placed, most_objects=limits.objects, most_points=limits.points
    )


def place_typed(
    visit: Visit, photo: str | None, words: str, mode: str, model: str, **options: Any
) -> Generator[HasStage | PromptView, None, None]:
    """`place` for what a visitor typed; `words` and `mode` as `read_place` takes them."""
    yield from place(visit, photo, read_place(words, mode), model, **options)


def change(
    visit: Visit,
    photo: str | None,
    changed: Callable[[Targets], Targets],
    *,
    display_side: int,
    unanswered: Sequence[str] = (),
) -> PromptView:
    """Clear, another object, another mask: what needs no model.

    Args:
        changed: from what was pointed at to what it becomes.
        unanswered: ids of places to take back if they are not made yet.

    Raises:
        InvalidImageError, PromptError: as for `place`.
    """
    picture = visit.picture(visit.seen(photo))
    with visit.lock:
        places.take_back(visit, picture, unanswered)
        keep_targets(visit, picture, changed(targets_of(visit, picture)))
    return _view(visit, picture, display_side=display_side)


def undo(visit: Visit, photo: str | None, unanswered: Sequence[str], *, display_side: int) -> PromptView:
    """Take back what was done last.

    Args:
        unanswered: ids of places whose answers the page has not seen, oldest first. Where the last of them is
            not made yet, it is what was done last, and nothing else is taken back.

    Raises:
        InvalidImageError, PromptError: as for `place`.
    """
    with visit.lock:
        waits = bool(unanswered) and not places.is_made(visit, unanswered[-1])
        return change(
            visit,
            photo,
            (lambda targets: targets) if waits else Targets.undone,
            unanswered=unanswered[-1:] if waits else (),
            display_side=display_side,
        )


def view_of(
    targets: Targets,
    picture: Picture,
    *,
    display_side: int,
    waiting: tuple[str, ...] = (),
    summary: dict[str, Any] | None = None,
    note: str | None = None,
) -> PromptView:
    """What was pointed at as it is shown."""
    height, width = targets.size_hw
    pixels = height * width
    objects = []
    for place, target in enumerate(targets.objects):
        mask = target.mask
        area = None if mask is None else int(mask.areas[0])
        objects.append(
            {
                "number": target.number,
                "colour": "#" + bytes(colours_of([target.number])[0]).hex(),
                "active": place == targets.active,
                "points": len(target.points),
                "box": target.box is not None,
                "places": [
                    ((x + 0.5) / width, (y + 0.5) / height, label)
                    for (x, y), label in zip(target.points, target.labels, strict=True)
                ],
                "around": None if target.box is None else _shares(target.box, (width, height)),
                "area": area,
                "share": None if area is None else area / pixels,
                "predicted_iou": None if mask is None else float(mask.predicted_iou[0]),
            }
        )
    candidates = targets.current.candidates
    shown = targets.shown
    layer = None
    if shown:
        drawn = fit_within(picture, display_side).shape
        numbers = [target.number for target in shown]
        layer = mask_layer(targets.masks, (drawn[0], drawn[1]), colours=colours_of(numbers))
    return PromptView(
        size_hw=targets.size_hw,
        layer=layer,
        objects=objects,
        candidates=[]
        if candidates is None
        else [
            {"share": int(area) / pixels, "predicted_iou": float(iou)}
            for area, iou in zip(candidates.areas, candidates.predicted_iou, strict=True)
        ],
        chosen=targets.current.chosen,
        waiting=waiting,
        summary=summary,
        note=note,
    )


def _view(visit: Visit, picture: Picture, **options: Any) -> PromptView:
    with visit.lock:
        targets, waiting = targets_of(visit, picture), places.waiting(visit)
    return view_of(targets, picture, waiting=waiting, **options)


def _prompts_of(target: Target) -> tuple[Any, Any, Any, bool]:
    """Boxes, points, labels and `multimask` as `run_predict` takes them."""
    return (
        None if target.box is None else np.array([target.box], dtype=np.float32),
        np.array([target.points], dtype=np.float32) if target.points else None,
        np.array([target.labels], dtype=np.int64) if target.points else None,
        target.is_ambiguous,
    )


def _summary(answer: Answer) -> dict[str, Any]:
    return {
        "model": answer.model,
        "device": answer.device,
        "seconds": round(answer.seconds, 4),
        "encode_seconds": round(answer.encode_seconds, 4),
    }


def _shares(box: Box, sides: tuple[int, int]) -> list[float]:
    return [edge / side for edge, side in zip(box, (*sides, *sides), strict=True)]
