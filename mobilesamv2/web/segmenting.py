"""What *Segment everything* does: a plain generator of steps with a view at the end. No components, no lent GPUs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..progress import Progress
from ..render import fit_within, overlay
from ..stored import StoredEmbedding
from ..types import Picture, SegmentationResult
from .encoding import encoded
from .models import Models
from .steps import HasStage, Step
from .text import segmenting as text
from .visits import Visit, keeping

Summary = dict[str, Any]
"""The numbers of a run, ready for JSON: what the page shows and what programs get."""
SegmentRun = Callable[..., Generator[Progress | StoredEmbedding | SegmentationResult, None, None]]
"""`run_segment` without its models, perhaps sent to a GPU."""


@dataclass(frozen=True, eq=False)
class SegmentView:
    """One run, to be shown: the overlay at the size of the page and the numbers."""

    overlay: Picture
    summary: Summary


def run_segment(
    models: Models,
    picture: Picture,
    stored: StoredEmbedding | None,
    sampler: str,
    max_prompts: int,
    model: str,
) -> Generator[Progress | StoredEmbedding | SegmentationResult, None, None]:
    """Segment `picture`: progress, then the result as the last item. Closing it stops the model's work."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from segmenter.steps(picture, sampler=sampler, max_prompts=max_prompts, embedding=embedding))


def prompts_of_segment(
    picture: Picture, stored: StoredEmbedding | None, sampler: str, max_prompts: int, model: str
) -> int:
    """How many prompts `run_segment` will ask at the most."""
    return max_prompts


def segment(
    visit: Visit,
    photo: str | None,
    sampler: str,
    max_prompts: int,
    model: str,
    *,
    run: SegmentRun,
    display_side: int,
) -> Generator[HasStage | SegmentView, None, None]:
    """What *Segment everything* does: steps, then a view.

    Args:
        visit: whose picture it is; keeps the embedding.
        photo: path of the file as it was uploaded, unread.
        run: `run_segment` with its models, perhaps sent to a GPU.
        display_side: longest side of the overlay in pixels.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
        MobileSamError: whatever else the model cannot do, in a sentence.
    """
    yield Step("read")
    picture = visit.picture(photo)
    running = run(picture, visit.embedding(model), sampler, max_prompts, model)
    with closing(keeping(visit, model, picture, running)) as steps:
        for item in steps:
            if isinstance(item, SegmentationResult):
                result = item
            else:
                yield item
    yield Step("draw")
    drawn = overlay(fit_within(picture, display_side), result.masks)
    yield SegmentView(overlay=drawn, summary=summary_of(result) | sizes(picture, drawn))


def summary_of(result: SegmentationResult) -> Summary:
    """The numbers of one run; `hint` is a sentence where the run found nothing, else None."""
    return {
        "model": result.model,
        "device": result.device,
        "sampler": result.sampler,
        "prompts": len(result.prompts),
        "masks_decoded": result.masks_decoded,
        "masks": len(result.masks),
        "seconds": {stage: round(seconds, 4) for stage, seconds in result.timings.items()},
        "total_seconds": round(result.seconds, 4),
        "hint": text.hint(result.sampler, prompts=len(result.prompts), masks=len(result.masks)),
    }


def sizes(picture: Picture, drawn: Picture) -> Summary:
    """Width and height of the picture and of what is drawn of it, for a summary."""
    (height, width), (drawn_height, drawn_width) = picture.shape[:2], drawn.shape[:2]
    return {"picture_size": [width, height], "overlay_size": [drawn_width, drawn_height]}
