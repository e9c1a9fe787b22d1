"""What is shown of the masks that are decoded: filters, the mask at each pixel, colours, the table, one mask alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..nesting import Nesting
from ..raw_masks import RawMasks
from ..render import label_colours, on_top
from ..request import Request
from ..results import SegmentationResult
from ..types import Ints, Masks, Picture, Prompts
from .text import everything as text

Summary = dict[str, Any]
"""The record of a run, and what else the page says of it, ready for JSON."""


@dataclass(frozen=True)
class ViewRequest:
    """What the controls of *Segment everything* say.

    Args:
        request: what is asked, and the view filters.
        model: of the menu, perhaps with a detector.
        own_filters: apply the sampler's own filters.
    """

    request: Request
    model: str
    own_filters: bool = True

    @property
    def source(self) -> tuple[str, str, float | None, bool]:
        """What the raw masks of a picture depend on but for their number: raw masks are kept for each."""
        return self.model, *self.request.source


@dataclass(frozen=True, eq=False)
class Shown:
    """The masks on the page.

    Args:
        masks: best first.
        numbers: int64 (N,): what each is called and coloured by, the same under every filter.
        prompts: `masks.prompt_index` points into it.
        whole: how many masks there were before the filters.
        wanted: what the controls said.
        edition: names what is shown, so that a click on something older is not taken for one on this; "" while masks
            are still coming.
    """

    masks: Masks
    numbers: Ints
    prompts: Prompts
    whole: int
    wanted: ViewRequest
    edition: str = ""

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return sum(len(rle["counts"]) + 200 for rle in self.masks.rles)

    @property
    def colours(self) -> npt.NDArray[np.uint8]:
        """Of each mask, uint8 (N, 3)."""
        return label_colours(int(self.numbers.max(initial=-1)) + 1)[self.numbers]

    @cached_property
    def nesting(self) -> Nesting:
        """Which of these masks are parts of which."""
        return Nesting.of(self.masks)


def shown_of(raw: RawMasks, wanted: ViewRequest) -> Shown:
    """What the filters leave of what is decoded."""
    part = raw.within(wanted.request.prompts_at_most)
    masks, numbers = raw.filtered(wanted.request, own_filters=wanted.own_filters)
    return Shown(masks=masks, numbers=numbers, prompts=part.prompts, whole=len(part.masks), wanted=wanted)


def summary_of(raw: RawMasks, found: Shown, request: Request) -> Summary:
    """The record of what is shown; `seconds` are those of the whole run."""
    decoded, asked = len(raw.prompts), len(found.prompts)
    masks_decoded = raw.within(request.prompts_at_most).run.masks_decoded
    run = replace(raw.run, masks_decoded=masks_decoded, request=request)
    result = SegmentationResult(**vars(run), masks=found.masks, prompts=found.prompts, is_complete=raw.is_complete)
    return result.to_record() | {
        "prompts_decoded": decoded,
        "is_exhausted": raw.is_exhausted,
        "can_answer": raw.answers(request.prompts_at_most),
        "hint": text.hint(raw.run.sampler, prompts=asked, decoded=found.whole, masks=len(found.masks)),
    }


def label_picture(masks: Masks, size_hw: tuple[int, int]) -> Picture:
    """Which mask is seen at each pixel, as a picture that browsers read exactly: red + 256 green is the place in
    `masks` from 1 on, 0 for none."""
    labels = (on_top(masks, size_hw) + 1).astype(np.uint16)
    return np.stack([labels & 255, labels >> 8, np.zeros_like(labels)], axis=-1).astype(np.uint8)


def alone_picture(masks: Masks, index: int, size_hw: tuple[int, int]) -> Picture:
    """One mask in white on black, with the parts that others hide."""
    inside = on_top(masks.select([index]), size_hw) >= 0
    return np.repeat(np.where(inside, 255, 0).astype(np.uint8)[:, :, None], 3, axis=2)


def table_rows(found: Shown) -> list[list[float | None]]:
    """A row for each mask: number from 1, area in pixels, share of the picture, score, predicted IoU, stability."""
    masks = found.masks
    pixels = max(1, masks.size_hw[0] * masks.size_hw[1])

    def known(value: np.float32) -> float | None:
        return round(float(value), 4) if np.isfinite(value) else None

    return [
        [
            int(number) + 1,
            int(area),
            round(int(area) / pixels, 6),
            known(masks.scores[index]),
            known(masks.predicted_iou[index]),
            known(masks.stability[index]),
        ]
        for index, (number, area) in enumerate(zip(found.numbers, masks.areas, strict=True))
    ]


def one_mask(found: Shown, index: int) -> dict[str, Any]:
    """What is known of one mask, ready for JSON: number, box, area, scores, the prompt that made it, whole and parts.

    `part_of` is the mask that it is a part of, or None; `parts` are its own, the largest first. Of each the `index`
    among those shown is told, and the `number`.
    """
    masks, prompts = found.masks, found.prompts
    asked = int(masks.prompt_index[index])
    alone = replace(found, masks=masks.select([index]), numbers=found.numbers[index : index + 1])
    names = ("number", "area", "share", "score", "predicted_iou", "stability")
    prompt: dict[str, Any] = {"number": asked + 1, "box": None, "points": None, "confidence": None}
    if prompts.boxes_xyxy is not None and prompts.has_box[asked]:
        prompt["box"] = [round(float(edge), 1) for edge in prompts.boxes_xyxy[asked]]
    if prompts.points is not None and prompts.labels is not None:
        prompt["points"] = [
            [round(float(x), 1), round(float(y), 1), int(label)]
            for (x, y), label in zip(prompts.points[asked], prompts.labels[asked], strict=True)
            if label >= 0
        ] or None
    if np.isfinite(masks.detector_scores[index]):
        prompt["confidence"] = round(float(masks.detector_scores[index]), 4)
    row = dict(zip(names, table_rows(alone)[0], strict=True))
    tree = found.nesting
    parent, areas = int(tree.parents[index]), masks.areas
    parts = sorted(tree.parts_of(index).tolist(), key=lambda part: -int(areas[part]))
    return row | {
        "box": [int(edge) for edge in masks.boxes_xyxy[index]],
        "prompt": prompt,
        "part_of": None if parent < 0 else _named(found, parent),
        "parts": [_named(found, part) for part in parts],
    }


def _named(found: Shown, index: int) -> dict[str, int]:
    return {"index": index, "number": int(found.numbers[index]) + 1}
