"""What *Compare samplers* does: two contenders on one encoding of a photo. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..comparison.compare import Comparison, RunStatistics, SamplerSpec, compare_specs_steps
from ..comparison.matching import MATCH_IOU
from ..comparison.report import verdict
from ..errors import PromptError
from ..formatting import number
from ..progress import Progress
from ..render import draw_prompts, fit_within, label_colours, mask_layer, overlay, prompt_layer
from ..stored import StoredEmbedding
from ..types import Masks, Picture, SegmentationResult
from .encoding import encoded
from .models import Models
from .segmenting import Summary, sizes, summary_of
from .steps import HasStage, Step
from .visits import Visit, keeping

Layer = npt.NDArray[np.uint8]
"""A drawing to lie over the photo: uint8 (H, W, 4)."""
CompareRun = Callable[..., Generator[Progress | StoredEmbedding | Comparison, None, None]]
"""`run_compare` without its models, perhaps sent to a GPU."""
ALONE_COLOURS = ((245, 158, 40), (30, 190, 180))
"""Of masks that only the left, or only the right contender found."""


@dataclass(frozen=True, eq=False)
class CompareView:
    """Both runs, to be shown.

    Args:
        picture: the photo at the size of the page.
        found: what the left (first) and the right (second) contender gave.
        summary: the numbers of both.
    """

    picture: Picture
    found: Comparison
    summary: Summary

    def overlays(self, *, with_prompts: bool) -> tuple[Picture, Picture]:
        """The photo with the masks of each, and what it asked if wanted. Partners have one colour."""
        left, right = (
            overlay(self.picture, result.masks, colours=colours) for result, colours in self._coloured()
        )
        if not with_prompts:
            return left, right
        size_hw = self.found.first.masks.size_hw
        return (
            draw_prompts(left, self.found.first.prompts, size_hw=size_hw),
            draw_prompts(right, self.found.second.prompts, size_hw=size_hw),
        )

    def layers(self) -> dict[str, Layer]:
        """What lies over the photo: the masks of `left` and `right`, what each asked (`left_prompts`,
        `right_prompts`), and the masks that only one of them found, by whom (`alone`)."""
        drawn_hw = self.picture.shape[0], self.picture.shape[1]
        layers = {}
        for side, (result, colours) in zip(("left", "right"), self._coloured(), strict=True):
            layers[side] = mask_layer(result.masks, drawn_hw, colours=colours)
            layers[f"{side}_prompts"] = prompt_layer(result.prompts, drawn_hw, size_hw=result.masks.size_hw)
        matching = self.found.matching
        own = (
            self.found.first.masks.select(matching.first_only),
            self.found.second.masks.select(matching.second_only),
        )
        colours = np.repeat(np.array(ALONE_COLOURS, dtype=np.uint8), [len(masks) for masks in own], axis=0)
        layers["alone"] = mask_layer(Masks.concatenate(own), drawn_hw, colours=colours)
        return layers

    def _coloured(self) -> list[tuple[SegmentationResult, npt.NDArray[np.uint8]]]:
        """Both results with the colours of their masks."""
        palette = label_colours(sum(self.found.matching.counts))
        ranks = self.found.matching.colour_ranks()
        return [(self.found.first, palette[ranks[0]]), (self.found.second, palette[ranks[1]])]


def run_compare(
    models: Models,
    picture: Picture,
    stored: StoredEmbedding | None,
    contenders: tuple[SamplerSpec, SamplerSpec],
    model: str,
) -> Generator[Progress | StoredEmbedding | Comparison, None, None]:
    """Run both contenders on `picture`: progress, then the comparison as the last item."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from compare_specs_steps(segmenter, picture, contenders, embedding=embedding))


def prompts_of_compare(
    picture: Picture, stored: StoredEmbedding | None, contenders: tuple[SamplerSpec, SamplerSpec], model: str
) -> int:
    """How many prompts `run_compare` will ask at the most."""
    return sum(contender.prompts_at_most for contender in contenders)


def compare(
    visit: Visit,
    photo: str | None,
    contenders: tuple[SamplerSpec, SamplerSpec],
    model: str,
    *,
    run: CompareRun,
    display_side: int,
) -> Generator[HasStage | CompareView, None, None]:
    """What *Compare samplers* does: steps, then a view. Other arguments and errors as for `segmenting.segment`.

    Args:
        contenders: the left and the right one.
    """
    yield Step("read")
    picture = visit.picture(visit.seen(photo))
    running = run(picture, visit.embedding(model), contenders, model)
    with closing(keeping(visit, model, picture, running)) as steps:
        for item in steps:
            if isinstance(item, Comparison):
                found = item
            else:
                yield item
    yield Step("draw")
    small = fit_within(picture, display_side)
    yield CompareView(
        picture=small, found=found, summary=comparison_summary_of(found) | sizes(picture, small)
    )


def comparison_summary_of(found: Comparison) -> Summary:
    """The numbers of both runs, as `left` and `right`; a sampler that ran is also there by its name.

    `speedup` is how many times faster the right one was, None where it cannot be told.
    """
    left, right = (
        summary_of(result) | _standing(standing)
        for result, standing in zip((found.first, found.second), found.statistics, strict=True)
    )
    by_name = {summary["sampler"].replace("-", "_"): summary for summary in (right, left)}
    return by_name | {
        "left": left,
        "right": right,
        "matched": len(found.matching),
        "match_iou": MATCH_IOU,
        "speedup": float(f"{found.speedup:.4g}") if math.isfinite(found.speedup) else None,
        "verdict": verdict(*found.statistics),
    }


def _standing(standing: RunStatistics) -> Summary:
    return {
        "contender": str(standing.spec),
        "duplicates_removed": standing.duplicates_removed,
        "found_alone": standing.alone,
        "coverage_percent": round(100 * standing.coverage, 3),
        "sampling_seconds": round(standing.sampling_seconds, 4),
    }


def contender_of(
    text: str, *, max_prompts: int | None = None, points_per_side: int | None = None, most: int
) -> SamplerSpec:
    """Read a contender that may ask at most `most` prompts; other arguments as for `SamplerSpec.parse`.

    Raises:
        UnknownModelError, PromptError: if it is none, or asks more.
    """
    contender = SamplerSpec.parse(text, max_prompts=max_prompts, points_per_side=points_per_side)
    if contender.prompts_at_most > most:
        raise PromptError(
            f"{contender} asks up to {number(contender.prompts_at_most)} prompts; here {number(most)} are the most."
        )
    return contender
