"""What *Compare samplers* does: both samplers on one encoding of a photo. No components, no lent GPUs."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from ..comparison import Comparison, Contender, contest_steps
from ..render import draw_prompts, fit_within, overlay
from ..segmenter import Progress
from ..stored import StoredEmbedding
from ..types import Picture, Prompts
from .encoding import encoded
from .models import Models
from .segmenting import Summary, sizes, summary_of
from .steps import HasStage, Step
from .text import comparing as text
from .visits import Visit, keeping

CompareRun = Callable[..., Generator[Progress | StoredEmbedding | Comparison, None, None]]
"""`run_compare` without its models, perhaps sent to a GPU."""


@dataclass(frozen=True, eq=False)
class CompareView:
    """Both runs, to be shown: equal pictures for a slider, grid search left, without and with prompts."""

    overlays: tuple[Picture, Picture]
    with_prompts: tuple[Picture, Picture]
    summary: Summary


def run_compare(
    models: Models,
    picture: Picture,
    stored: StoredEmbedding | None,
    max_prompts: int,
    points_per_side: int,
    model: str,
) -> Generator[Progress | StoredEmbedding | Comparison, None, None]:
    """Run both samplers on `picture`: progress, then the comparison as the last item."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    contenders = (
        Contender("grid", points_per_side=points_per_side),
        Contender("object-aware", max_prompts=max_prompts),
    )
    yield (yield from contest_steps(segmenter, picture, contenders, embedding=embedding))


def prompts_of_compare(
    picture: Picture, stored: StoredEmbedding | None, max_prompts: int, points_per_side: int, model: str
) -> int:
    """How many prompts `run_compare` will ask at the most."""
    return max_prompts + points_per_side**2


def compare(
    visit: Visit,
    photo: str | None,
    max_prompts: int,
    points_per_side: int,
    model: str,
    *,
    run: CompareRun,
    display_side: int,
) -> Generator[HasStage | CompareView, None, None]:
    """What *Compare samplers* does: steps, then a view. Arguments and errors as for `segmenting.segment`."""
    yield Step("read")
    picture = visit.picture(photo)
    stored = visit.embedding(model)
    running = run(picture, stored, max_prompts, points_per_side, model)
    with closing(keeping(visit, model, picture, running)) as steps:
        for item in steps:
            if isinstance(item, Comparison):
                found = item
            else:
                yield item
    yield Step("draw")
    small = fit_within(picture, display_side)
    grid, aware = (overlay(small, result.masks) for result in (found.grid, found.object_aware))
    size_hw = (picture.shape[0], picture.shape[1])

    def asked(drawn: Picture, prompts: Prompts) -> Picture:
        return draw_prompts(drawn, prompts, size_hw=size_hw)

    yield CompareView(
        overlays=(grid, aware),
        with_prompts=(asked(grid, found.grid.prompts), asked(aware, found.object_aware.prompts)),
        summary=comparison_summary_of(found) | sizes(picture, grid),
    )


def comparison_summary_of(found: Comparison) -> Summary:
    """The numbers of both runs; `speedup` is None where it cannot be told."""
    both = {
        name: summary_of(result) | {"sampling_seconds": round(found.sampling_seconds(result), 4)}
        for name, result in (("grid", found.grid), ("object_aware", found.object_aware))
    }
    speedup = round(found.speedup, 2) if math.isfinite(found.speedup) else None
    return both | {"speedup": speedup, "verdict": text.verdict(both["grid"], both["object_aware"], speedup)}
