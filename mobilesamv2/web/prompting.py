"""What *Point and box* does: masks for points and boxes, at once, on the one encoding that the visitor's photo has.

No components, no lent GPUs. What was pointed at is kept in the visit, and goes with the photo.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import PromptError
from ..progress import Progress
from ..render import fit_within, mask_layer
from ..stopwatch import Stopwatch
from ..stored import StoredEmbedding
from ..types import Masks, Picture
from .encoding import encoded
from .models import Models
from .steps import HasStage, Step
from .targets import Box, Targets, colours_of
from .text import prompting as text
from .typed_places import read_place
from .visits import Visit, keeping

KEPT_AS = "targets"
"""Name of what is kept in the visit."""
_ANSWERED, _TAKEN_BACK = "the last place that was answered", "places taken back before their answer"

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
        summary: of the last answer, None where nothing was asked.
        note: a sentence, or None.
    """

    size_hw: tuple[int, int]
    layer: npt.NDArray[np.uint8] | None
    objects: list[dict[str, Any]]
    candidates: list[dict[str, float]]
    chosen: int
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
    before = targets_of(visit, picture)
    note = text.LOST if not before.shown and _whole(placed, "objects") > 0 else None
    in_pixels = placed.get("unit") == "pixels"
    height, width = (1, 1) if in_pixels else picture.shape[:2]
    if placed.get("kind") == "box":
        x0, y0, x1, y1 = _box(placed.get("corners"))
        corners = _pixel(x0 * width), _pixel(y0 * height), _pixel(x1 * width), _pixel(y1 * height)
        targets = before.with_box(corners, most_objects=limits.objects)
    elif placed.get("kind") == "point":
        edge = (
            0.0 if in_pixels else 0.5
        )  # shares begin at the picture's edge, pixels at the middle of the first
        x, y = _number(placed.get("x")) * width - edge, _number(placed.get("y")) * height - edge
        label = 1 if _whole(placed, "label") == 1 else 0
        targets = before.with_point(_pixel(x), _pixel(y), label=label, most_points=limits.points)
    else:
        raise PromptError("Point at the photo, or draw a box.")
    current, summary = targets.current, None
    place_id = placed.get("id")
    if current.can_be_asked and not is_taken_back(visit, place_id):
        stored = visit.embedding(model)
        asked = (
            None if current.box is None else np.array([current.box], dtype=np.float32),
            np.array([current.points], dtype=np.float32) if current.points else None,
            np.array([current.labels], dtype=np.int64) if current.points else None,
            current.is_ambiguous,
        )
        with closing(keeping(visit, model, picture, run(picture, stored, *asked, model))) as steps:
            for item in steps:
                if isinstance(item, Answer):
                    targets = targets.answered(item.masks)
                    summary = _summary(item) | {"encoded_now": stored is None}
                elif is_taken_back(visit, place_id):
                    break
                else:
                    yield item
    else:
        note = text.ONLY_BESIDE
    with visit.lock:
        if is_taken_back(visit, place_id):
            targets, summary, note = targets_of(visit, picture), None, None
        else:
            _keep(visit, picture, targets)
            visit.keep(_ANSWERED, place_id, picture=picture)
    yield view_of(targets, picture, display_side=display_side, summary=summary, note=note)


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
        unanswered: ids of places to take back if their answers are still to come.

    Raises:
        InvalidImageError, PromptError: as for `place`.
    """
    picture = visit.picture(visit.seen(photo))
    with visit.lock:
        _take_back(visit, picture, unanswered)
        targets = changed(targets_of(visit, picture))
        _keep(visit, picture, targets)
    return view_of(targets, picture, display_side=display_side)


def undo(visit: Visit, photo: str | None, unanswered: Sequence[str], *, display_side: int) -> PromptView:
    """Take back what was done last.

    Args:
        unanswered: ids of places whose answers the page has not seen, oldest first. The last of them is what was
            done last: where its answer is still to come, nothing else is taken back.

    Raises:
        InvalidImageError, PromptError: as for `place`.
    """
    with visit.lock:
        waits = bool(unanswered) and visit.get(_ANSWERED) != unanswered[-1]
        return change(
            visit,
            photo,
            (lambda targets: targets) if waits else Targets.undone,
            unanswered=unanswered[-1:] if waits else (),
            display_side=display_side,
        )


def is_taken_back(visit: Visit, place_id: str | None) -> bool:
    """Whether the visitor wants no answer to a place any more."""
    return place_id is not None and place_id in (visit.get(_TAKEN_BACK) or ())


def targets_of(visit: Visit, picture: Picture) -> Targets:
    """What the visitor has pointed at on `picture` so far."""
    kept = visit.get(KEPT_AS)
    return kept if isinstance(kept, Targets) else Targets(size_hw=(picture.shape[0], picture.shape[1]))


def view_of(
    targets: Targets,
    picture: Picture,
    *,
    display_side: int,
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
        summary=summary,
        note=note,
    )


def _take_back(visit: Visit, picture: Picture, places: Sequence[str]) -> None:
    if places:
        visit.keep(_TAKEN_BACK, frozenset(visit.get(_TAKEN_BACK) or ()).union(places), picture=picture)


def _keep(visit: Visit, picture: Picture, targets: Targets) -> None:
    visit.keep(KEPT_AS, targets, picture=picture, nbytes=targets.nbytes)


def _summary(answer: Answer) -> dict[str, Any]:
    return {
        "model": answer.model,
        "device": answer.device,
        "seconds": round(answer.seconds, 4),
        "encode_seconds": round(answer.encode_seconds, 4),
    }


def _pixel(place: float) -> float:
    return round(place, 2)


def _shares(box: Box, sides: tuple[int, int]) -> list[float]:
    return [edge / side for edge, side in zip(box, (*sides, *sides), strict=True)]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not np.isfinite(value):
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
