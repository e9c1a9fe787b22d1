"""Masks for points and boxes on the one encoding of a photo: what *Point and box* and `/predict_mask` do.

Each question is complete: nothing of it is kept here but the encoding. No components.
"""

from __future__ import annotations

import base64
from collections.abc import Generator, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PromptError
from ..export.pictures import jpeg_bytes, png_bytes
from ..images import ReadImage
from ..progress import Progress
from ..render import fit_within, label_colours, mask_layer
from ..segmenter import Embedding, Segmenter
from ..stopwatch import Stopwatch
from ..types import Masks, Picture, Prompts
from .exporting import NOTHING_POINTED_AT, ExportItem
from .jobs import Job
from .prompt_lists import Limits, read_prompts
from .runs import Run
from .sessions import Session, whole
from .text import prompting as text
from .uploads import name_of

COLOURS = label_colours(120)
"""Of objects by their number, uint8 (120, 3); then the first again."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Masks of objects that were asked about together.

    Args:
        masks: of each object, in the order asked: three with `multimask`, otherwise one.
        seconds: per stage; of "preprocess" and "encode" also where that was earlier.
        model, device: names for people.
        scaled_to_own_range: whether the picture was (`ReadImage`).
    """

    masks: tuple[Masks, ...]
    seconds: dict[str, float]
    model: str
    device: str
    scaled_to_own_range: bool = False

    @property
    def best(self) -> list[int]:
        """Which mask of each object the decoder is surest of."""
        return [int(np.argmax(masks.predicted_iou)) for masks in self.masks]

    def chosen(self, indices: Sequence[int]) -> Masks:
        """One mask of each object."""
        pairs = zip(self.masks, indices, strict=True)
        return Masks.concatenate([masks.select(slice(index, index + 1)) for masks, index in pairs])

    def to_record(self) -> dict[str, Any]:
        """What came of it, ready for JSON: keys of `SegmentationResult.to_record`, and the masks as `annotations`."""
        whose = np.repeat(np.arange(len(self.masks)), [len(masks) for masks in self.masks])
        masks = replace(Masks.concatenate(self.masks), prompt_index=whose)
        height, width = masks.size_hw
        return {
            "model": self.model,
            "device": self.device,
            "image": {"width": width, "height": height, "scaled_to_own_range": self.scaled_to_own_range},
            "prompts": len(self.masks),
            "masks": len(masks),
            "coverage": round(masks.coverage, 6),
            "seconds": {stage: round(seconds, 6) for stage, seconds in self.seconds.items()},
            "total_seconds": round(sum(self.seconds.values()), 6),
            "annotations": masks.to_coco(),
        }


@dataclass(frozen=True, eq=False)
class Objects:
    """Objects that are pointed at, each by prompts of length 1."""

    objects: Sequence[Prompts]

    @property
    def prompts_at_most(self) -> int:
        """How many prompts they are."""
        return len(self.objects)

    def steps(
        self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding
    ) -> Generator[Progress, None, Prediction]:
        """Progress, and the masks of all."""
        objects, watch = self.objects, Stopwatch(segmenter.device)
        found: dict[int, Masks] = {}
        for rows in _kinds(objects):
            yield Progress("decode", len(found), len(objects))
            asked = Prompts.concatenate([objects[row] for row in rows])
            with watch.stage("decode"):
                masks = segmenter.predict(
                    embedding,
                    boxes=asked.boxes_xyxy,
                    points=asked.points,
                    labels=asked.labels,
                    multimask=asked.multimask,
                )
            each = len(masks) // len(rows)
            found |= {row: masks.select(slice(i * each, (i + 1) * each)) for i, row in enumerate(rows)}
        return Prediction(
            masks=tuple(found[row] for row in range(len(objects))),
            seconds=embedding.timings | {"decode": watch.seconds["decode"]},
            model=segmenter.name,
            device=segmenter.device_description,
            scaled_to_own_range=picture.scaled_to_own_range,
        )


def _kinds(objects: Sequence[Prompts]) -> list[list[int]]:
    """Which of `objects` can be decoded together: a model answers rows of one length."""
    kinds: dict[Hashable, list[int]] = {}
    for row, prompts in enumerate(objects):
        points = None if prompts.points is None else prompts.points.shape
        kinds.setdefault((points, prompts.boxes_xyxy is None, prompts.multimask), []).append(row)
    return list(kinds.values())


def picture_of(job: Job, photo: str | None, objects: Sequence[Prompts]) -> ReadImage:
    """The picture that `objects` are asked about; `photo` and errors as for `Job.read`.

    Raises:
        PromptError: a point outside the picture, or a box that has nothing of it inside.
    """
    picture = job.read(photo)
    height, width = picture.picture.shape[:2]
    for prompts in objects:
        for x, y in [] if prompts.points is None else prompts.points[0]:
            if not (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5):
                raise PromptError(text.outside((float(x), float(y)), (height, width)))
        for x0, y0, x1, y1 in [] if prompts.boxes_xyxy is None else prompts.boxes_xyxy:
            if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
                raise PromptError(text.outside((float(x0), float(y0)), (height, width)))
    return picture


def predict(
    job: Job, picture: ReadImage, objects: Sequence[Prompts], model: str, *, run: Run
) -> Generator[Progress, None, Prediction | None]:
    """Masks for objects in a picture (`picture_of`); steps on the way. None: the job became stale."""
    with closing(job.follow(run, picture, Objects(objects), model)) as items:
        for item in items:
            if isinstance(item, Prediction):
                return item
            yield item
    return None


def answer(
    job: Job,
    photo: str | None,
    question: Mapping[str, Any],
    model: str,
    *,
    run: Run,
    limits: Limits,
    side: int,
) -> Generator[Progress | dict[str, Any], None, None]:
    """The answer to one question of *Point and box*, as `scripts/prompt.js` takes it, after steps.

    Args:
        photo: as for `picture_of`.
        question: `points`, `labels` and `boxes` of one object as `read_prompts` takes them, and its `number`; or `look`
            for a copy of the photo that every browser can show.
        side: longest side in pixels of what is shown.

    Raises:
        InvalidImageError, PromptError: as for `picture_of` and `read_prompts`, and for a box without a pixel inside.
        MobileSamError: whatever else the model cannot do.
    """
    if job.is_stale:
        return  # to read its photo would drop what was made of the present one
    yield Progress("read")
    if question.get("look"):
        yield {"copy": _copy(job.read(photo).picture, side) if job.session.seen(photo) else None}
        return
    prompts = _object(question, limits)
    picture = picture_of(job, photo, [prompts])
    if prompts.boxes_xyxy is None and prompts.labels is not None and not prompts.labels.any():
        yield {"masks": [], "note": text.only_beside()}
        return
    encoded_now = job.session.embedding(model) is None
    if found := (yield from predict(job, picture, [prompts], model, run=run)):
        size_hw, colours, (masks,) = fit_within(picture.picture, side).shape[:2], _colours([question]), found.masks
        yield {
            "masks": [_for_page(masks.select([i]), i, size_hw, colours) for i in range(len(masks))],
            "best": found.best[0],
            "note": text.answered(found.seconds, found.device, encoded_now=encoded_now),
        }


def objects_pointed_at(
    session: Session, photo: str | None, told: object, model: str, *, run: Run, limits: Limits
) -> Generator[Progress, None, ExportItem]:
    """The objects of *Point and box* to take away: they are decoded again, for no answer is kept here.

    Args:
        told: of each object what `answer` takes, and which mask is `chosen`; the surest where there is no such one.

    Raises:
        InvalidImageError, PromptError, MobileSamError: as for `answer`; PromptError also where there is no object.
    """
    questions = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    questions = questions[: limits.objects]
    objects = [_object(question, limits) for question in questions]
    job = Job(session, 0, session.runs)  # of no number: nothing stops it
    picture = picture_of(job, photo, objects)
    found = (yield from predict(job, picture, objects, model, run=run)) if objects else None
    if found is None:
        raise PromptError(NOTHING_POINTED_AT)
    wanted = zip(questions, found.masks, found.best, strict=True)
    chosen = [
        chosen if isinstance(chosen := one.get("chosen"), int) and 0 <= chosen < len(masks) else best
        for one, masks, best in wanted
    ]
    return ExportItem(
        picture=picture.picture,
        masks=found.chosen(chosen),
        file_name=name_of(session.seen(photo)),
        colours=_colours(questions),
        info={"masks": len(objects)},
    )


def _object(question: Mapping[str, Any], limits: Limits) -> Prompts:
    """The prompts of one object. One click may mean a thing or a part of it, so it gets three masks to choose from."""
    given = (question.get(name) for name in ("points", "labels", "boxes"))
    (prompts,) = read_prompts(*given, limits=replace(limits, objects=1))
    box, labels = prompts.boxes_xyxy, prompts.labels
    if box is not None and (box[:, 2:] - box[:, :2] < 1).any():
        raise PromptError(text.NO_PIXEL)
    return replace(prompts, multimask=box is None and labels is not None and labels.tolist() == [[1]])


def _colours(questions: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.uint8]:
    return COLOURS[[(whole(one.get("number")) - 1) % len(COLOURS) for one in questions]]


def _for_page(mask: Masks, index: int, size_hw: tuple[int, int], colour: npt.NDArray[np.uint8]) -> dict[str, Any]:
    area, iou = int(mask.areas[0]), float(mask.predicted_iou[0])
    share = area / (mask.size_hw[0] * mask.size_hw[1])
    return {
        "layer": _address(png_bytes(Image.fromarray(mask_layer(mask, size_hw, colours=colour))), "png"),
        "area": area,
        "label": text.candidate(index, share=share, predicted_iou=iou),
        "cells": text.cells(area, share=share, predicted_iou=iou),
    }


def _copy(picture: Picture, side: int) -> dict[str, Any]:
    height, width = picture.shape[:2]
    return {
        "url": _address(jpeg_bytes(Image.fromarray(fit_within(picture, side))), "jpeg"),
        "size": [width, height],
    }


def _address(file: bytes, kind: str) -> str:
    """An address that holds the whole picture: it goes with the answer, and no other visitor can ask for it."""
    return f"data:image/{kind};base64,{base64.b64encode(file).decode('ascii')}"
