"""What *Compare samplers* runs, and how both runs are drawn and told. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..comparison.compare import Comparison, compare_steps
from ..comparison.matching import MATCH_IOU
from ..comparison.report import verdict
from ..errors import PromptError
from ..formatting import number
from ..images import ReadImage
from ..render import draw_prompts, label_colours, mask_layer, overlay, prompt_layer
from ..request import Request
from ..segmenter import Embedding, Segmenter
from ..types import Masks, Picture

Colours = npt.NDArray[np.uint8]
ALONE_COLOURS = ((245, 158, 40), (30, 190, 180))
"""Of masks that only the left, or only the right run found."""


@dataclass(frozen=True)
class CompareRequest:
    """Two runs to compare."""

    left: Request
    right: Request

    @property
    def prompts_at_most(self) -> int:
        """How many prompts both ask."""
        return self.left.prompts_at_most + self.right.prompts_at_most

    def steps(self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding) -> Generator[Any, None, Comparison]:
        """Progress of both, and the comparison."""
        return compare_steps(segmenter, picture, self.left, self.right, embedding=embedding)


def request_of(text: str, *, max_prompts: int | None = None, points_per_side: int | None = None, most: int) -> Request:
    """Read a request that may ask at most `most` prompts; other arguments as for `Request.parse`.

    Raises:
        UnknownModelError, PromptError: if it is none, or asks more.
    """
    request = Request.parse(text, max_prompts=max_prompts, points_per_side=points_per_side)
    if (asks := request.prompts_at_most) > most:
        raise PromptError(f"{request} asks up to {number(asks)} prompts; here {number(most)} are the most.")
    return request


def overlays(picture: Picture, found: Comparison, *, with_prompts: bool) -> list[Picture]:
    """The photo with the masks of each run, and what it asked if wanted. Partners have one colour.

    Args:
        picture: the photo, or a smaller copy of it.
    """
    drawn = []
    for result, colours in zip((found.first, found.second), _colours(found), strict=True):
        drawn.append(overlay(picture, result.masks, colours=colours))
        if with_prompts:
            drawn[-1] = draw_prompts(drawn[-1], result.prompts, size_hw=result.masks.size_hw)
    return drawn


def layers(found: Comparison, size_hw: tuple[int, int]) -> dict[str, npt.NDArray[np.uint8]]:
    """What lies over the photo, each uint8 (h, w, 4): the masks of `left` and `right`, what each asked (`left_prompts`,
    `right_prompts`), and the masks that only one of them found, by whom (`alone`)."""
    drawn, matching = {}, found.matching
    sides = zip(("left", "right"), (found.first, found.second), _colours(found), strict=True)
    for side, result, colours in sides:
        drawn[side] = mask_layer(result.masks, size_hw, colours=colours)
        drawn[f"{side}_prompts"] = prompt_layer(result.prompts, size_hw, size_hw=result.masks.size_hw)
    alone = found.first.masks.select(matching.first_only), found.second.masks.select(matching.second_only)
    colours = np.repeat(np.array(ALONE_COLOURS, dtype=np.uint8), [len(masks) for masks in alone], axis=0)
    return drawn | {"alone": mask_layer(Masks.concatenate(alone), size_hw, colours=colours)}


def _colours(found: Comparison) -> tuple[Colours, Colours]:
    """Of the masks of each run."""
    palette = label_colours(sum(found.matching.counts))
    first, second = (palette[ranks] for ranks in found.matching.colour_ranks())
    return first, second


def summary_of(found: Comparison) -> dict[str, Any]:
    """The records of both runs, as `left` and `right` and also by their samplers' names, and how they compare.

    `speedup` is how many times faster the right one was, None where it cannot be told.
    """
    left, right = found.records()
    by_name = {record["sampler"].replace("-", "_"): record for record in (right, left)}
    return by_name | {
        "left": left,
        "right": right,
        "matched": len(found.matching),
        "match_iou": MATCH_IOU,
        "speedup": float(f"{found.speedup:.4g}") if math.isfinite(found.speedup) else None,
        "verdict": verdict(*found.statistics),
    }
