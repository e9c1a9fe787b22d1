"""What is shown of what was decoded: filters, who owns each pixel, colours, the table, one mask alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..comparison.matching import covered_share
from ..filters import Refinement, filtered, refined, without_overlaps
from ..prompts import MaskFilters
from ..render import label_colours, on_top
from ..types import Ints, Masks, Picture, Prompts
from .decoding import Decoded
from .text import everything as text

Summary = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """How a visitor wants to see what was decoded.

    Args:
        max_prompts: of these prompts only.
        own_filters: apply the sampler's own filters first.
        min_area_percent: smallest area in percent of the picture.
        min_predicted_iou, min_stability: as `Refinement` takes them.
        mask_nms: as `Refinement` takes it; 1 for off.
        hide_nested: leave out masks that lie within a larger one.
        apart: give each pixel to one mask.
    """

    max_prompts: int = 320
    own_filters: bool = True
    min_area_percent: float = 0.0
    min_predicted_iou: float = 0.0
    min_stability: float = 0.0
    mask_nms: float = 1.0
    hide_nested: bool = False
    apart: bool = False

    def refinement(self, size_hw: tuple[int, int]) -> Refinement:
        """The filters beyond the sampler's own, for a picture of that size."""
        pixels = size_hw[0] * size_hw[1]
        return Refinement(
            min_area=math.ceil(self.min_area_percent / 100 * pixels - 1e-6),
            min_predicted_iou=self.min_predicted_iou,
            min_stability=self.min_stability,
            mask_nms=self.mask_nms,
            hide_nested=self.hide_nested,
        )


@dataclass(frozen=True, eq=False)
class Shown:
    """The masks on the page.

    Args:
        masks: best first.
        numbers: int64 (N,): what each is called and coloured by, the same under every filter.
        prompts: `masks.prompt_index` points into it.
        whole: how many masks there were before the filters.
    """

    masks: Masks
    numbers: Ints
    prompts: Prompts
    whole: int

    @property
    def nbytes(self) -> int:
        """Memory, about."""
        return sum(len(rle["counts"]) + 200 for rle in self.masks.rles)


def shown(masks: Masks, numbers: Ints, prompts: Prompts, filters: MaskFilters, look: Look) -> Shown:
    """Filter masks as `look` wants it.

    Args:
        masks, numbers: those of a `Decoded`, or of a part of it; `prompts` are what they answer.
        filters: the sampler's own.
    """
    own = look.own_filters
    kept = filtered(masks, filters) if own else np.argsort(-masks.scores, kind="stable")
    kept = kept[refined(masks.select(kept), look.refinement(masks.size_hw))]
    stay = masks.select(kept)
    if look.apart:
        stay, which = without_overlaps(stay)
        kept = kept[which]
    return Shown(masks=stay, numbers=numbers[kept], prompts=prompts, whole=len(masks))


def view_of(decoded: Decoded, look: Look) -> tuple[Shown, Summary]:
    """What `look` leaves of what was decoded, and its numbers."""
    part = decoded.within(look.max_prompts)
    found = shown(part.masks, part.numbers, part.prompts, part.filters, look)
    return found, summary_of(decoded, part, found, look)


def summary_of(decoded: Decoded, part: Decoded, found: Shown, look: Look) -> Summary:
    """The numbers of what is shown, ready for JSON; `seconds` are those of the whole run."""
    run = decoded.run
    return {
        "model": run.model,
        "device": run.device,
        "sampler": run.sampler,
        "prompts": len(part.prompts),
        "prompts_decoded": len(decoded.prompts),
        "budget": decoded.budget,
        "is_complete": decoded.is_complete,
        "can_answer": decoded.answers(look.max_prompts),
        "masks_decoded": run.masks_decoded * len(part.prompts) // max(1, len(decoded.prompts)),
        "masks": len(found.masks),
        "coverage": covered_share(found.masks),
        "apart": look.apart,
        "seconds": {stage: round(seconds, 4) for stage, seconds in run.timings.items()},
        "total_seconds": round(run.seconds, 4),
        "picture_size": [found.masks.size_hw[1], found.masks.size_hw[0]],
        "hint": text.hint(
            run.sampler, prompts=len(part.prompts), decoded=len(part.masks), masks=len(found.masks)
        ),
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


def colours_of(numbers: Ints) -> list[str]:
    """The colour of each mask as CSS writes it."""
    if len(numbers) == 0:
        return []
    wheel = label_colours(int(numbers.max()) + 1)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in wheel[numbers]]


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
    """What is known of one mask: number, box, area, scores and the prompt that made it, ready for JSON."""
    masks, prompts = found.masks, found.prompts
    asked = int(masks.prompt_index[index])
    row = table_rows(
        Shown(masks=masks.select([index]), numbers=found.numbers[index : index + 1], prompts=prompts, whole=1)
    )[0]
    prompt: dict[str, Any] = {"number": asked + 1, "box": None, "points": None, "confidence": None}
    if prompts.boxes_xyxy is not None:
        prompt["box"] = [round(float(edge), 1) for edge in prompts.boxes_xyxy[asked]]
    if prompts.points is not None and prompts.labels is not None:
        prompt["points"] = [
            [round(float(x), 1), round(float(y), 1), int(label)]
            for (x, y), label in zip(prompts.points[asked], prompts.labels[asked], strict=True)
            if label >= 0
        ]
    if prompts.scores is not None:
        prompt["confidence"] = round(float(prompts.scores[asked]), 4)
    return {
        "number": row[0],
        "area": row[1],
        "share": row[2],
        "score": row[3],
        "predicted_iou": row[4],
        "stability": row[5],
        "box": [int(edge) for edge in masks.boxes_xyxy[index]],
        "prompt": prompt,
    }
