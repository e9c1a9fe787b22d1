"""How much of what is labelled each way to segment everything finds, at several budgets and beside plain baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..filters import MaskFilters
from ..images import load_image
from ..progress import run_to_end
from ..raw_masks import RawMasks
from ..request import Request
from ..segmenter import Segmenter
from ..types import Floats, Masks, Picture, Rle
from .average_recall import Matches, match, recall_table
from .baselines import filled_box, filled_ellipse
from .datasets import Annotated

MAX_MASKS = (10, 100, 320)
"""The K of AR@K; 320 is the budget of MobileSAMv2 (arXiv 2312.09579)."""
_SEED = 0


@dataclass(frozen=True)
class Budgets:
    """What is measured.

    Args:
        boxes: the largest number of object-aware prompts, for one row each.
        points_per_side: of the grid, for two rows each: with the model's own filters, and without them but for
            duplicates.
        baselines: also the boxes themselves, filled as ellipses, and random boxes.
    """

    boxes: tuple[int, ...] = (64, 100, 320)
    points_per_side: tuple[int, ...] = (16, 32)
    baselines: bool = True


def everything_table(
    segmenter: Segmenter, photographs: Iterable[Annotated], *, budgets: Budgets = Budgets()
) -> list[dict[str, object]]:
    """Segment everything in each photograph in every way of `budgets`, from one encoding of it.

    Args:
        segmenter: the model; it needs a detector for object-aware sampling.
        photographs: with all the masks that are to be found.
        budgets: which ways.

    Returns:
        One row for each way: its name, the mean number of prompts and of masks per photograph, AR@K for each of
        `MAX_MASKS`, and that of the largest K by the size of objects. No photographs, no rows.

    Raises:
        InvalidImageError: if a picture cannot be read.
    """
    rows: dict[str, list[tuple[int, int, dict[str, Matches]]]] = {}
    for photograph in photographs:
        picture = load_image(photograph.path)
        for name, prompts, masks in _answers(segmenter, picture, budgets):
            found = match(photograph.rles, masks, max_masks=max(MAX_MASKS))
            rows.setdefault(name, []).append((prompts, len(masks), found))
    return [
        {
            "way": name,
            "prompts": round(float(np.mean([prompts for prompts, _, _ in each])), 1),
            "masks": round(float(np.mean([masks for _, masks, _ in each])), 1),
            **recall_table([found for _, _, found in each], max_masks=MAX_MASKS),
        }
        for name, each in rows.items()
    ]


def _answers(segmenter: Segmenter, picture: Picture, budgets: Budgets) -> Iterator[tuple[str, int, Masks]]:
    embedding = segmenter.encode(picture)
    size_hw = (picture.shape[0], picture.shape[1])
    if segmenter.has_detector and budgets.boxes:
        # The boxes are asked for best first: a smaller budget is the beginning of the largest one.
        request = Request(max_prompts=max(budgets.boxes))
        result = segmenter.segment_everything(picture, request=request, embedding=embedding)
        for most in budgets.boxes:
            within = result.masks.select(result.masks.prompt_index < most)
            yield f"object-aware, {most} boxes at most", min(most, len(result.prompts)), within
        if budgets.baselines:
            boxes, scores = result.prompts.boxes_xyxy, result.prompts.scores
            assert boxes is not None  # a detector's
            assert scores is not None
            yield "its boxes, filled as ellipses", 0, _drawn(filled_ellipse, boxes, scores, size_hw)
    for side in budgets.points_per_side:
        # Filters throw away much, and which ones suit depends on the model: so also what comes without them.
        request = Request("grid", points_per_side=side)
        steps = segmenter.steps(picture, request, embedding=embedding, filters=MaskFilters())
        raw = RawMasks.of(run_to_end(steps))
        duplicates_only = replace(raw.run.own_filters, predicted_iou=None, stability=None)
        for name, filters in (("", None), (", all but duplicates", duplicates_only)):
            kept, _ = raw.filtered(replace(request, mask_filters=filters))
            yield f"grid of {side} x {side} points{name}", len(raw.prompts), kept
    if budgets.baselines:
        boxes = random_boxes(max(MAX_MASKS), size_hw)
        scores = np.linspace(1, 0, len(boxes), dtype=np.float32)
        yield "random boxes, filled", 0, _drawn(filled_box, boxes, scores, size_hw)


def random_boxes(count: int, size_hw: tuple[int, int]) -> Floats:
    """`count` boxes whose sides are spread evenly on a logarithmic scale from a fiftieth of the picture's to all of it.

    Returns:
        float32 (count, 4), inside the picture, the same for every picture of that size.
    """
    generator = np.random.default_rng(_SEED)
    size_wh = np.array(size_hw[::-1], dtype=np.float64)
    sides = size_wh * np.exp(generator.uniform(np.log(0.02), 0, (count, 2)))
    low = generator.uniform(0, 1, (count, 2)) * (size_wh - sides)
    return np.concatenate([low, low + sides], axis=1).astype(np.float32)


def _drawn(shape: Callable[..., Rle], boxes: Floats, scores: Floats, size_hw: tuple[int, int]) -> Masks:
    """A `shape` in each box, ranked by `scores`."""
    unknown = np.full(len(boxes), np.nan, dtype=np.float32)
    return Masks(
        size_hw=size_hw,
        rles=tuple(shape(box, size_hw=size_hw) for box in boxes),
        scores=scores,
        boxes_xyxy=boxes,
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=np.arange(len(boxes)),
    )
