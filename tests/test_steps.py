"""Masks as they come: progress and partial masks, other filters, skipped prompts, stopped runs."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

from mobilesamv2 import MaskFilters, PartialMasks, Progress, Request, SegmentationResult, ViewFilters
from mobilesamv2.errors import PromptError
from mobilesamv2.filters import apply_filters
from mobilesamv2.prompts import GridSampler
from mobilesamv2.prompts.object_aware import Boxes
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Masks, Picture, Prompts

from .test_segmenter import TwoRounds
from .tiny import picture, tiny_segmenter

GRID = Request("grid", points_per_side=4)
BOXES = [(x, y, x + 20, y + 15) for x in (0, 10, 20, 30) for y in (0, 10, 20)]


def run(
    segmenter: Segmenter, *arguments: Any, **options: Any
) -> tuple[list[Progress | PartialMasks], SegmentationResult]:
    """What a run yields and what it returns."""
    items = []
    steps = segmenter.steps(picture(), *arguments, **options)
    while True:
        try:
            items.append(next(steps))
        except StopIteration as end:
            return items, end.value


def parts_of(items: list[Progress | PartialMasks]) -> list[PartialMasks]:
    return [item for item in items if isinstance(item, PartialMasks)]


def after(looks: int) -> Callable[[], bool]:
    """Says True from the look after so many on."""
    left = iter([False] * looks)
    return lambda: next(left, True)


def same(first: SegmentationResult, second: SegmentationResult) -> None:
    assert first.masks.rles == second.masks.rles
    assert first.masks.prompt_index.tolist() == second.masks.prompt_index.tolist()
    assert len(first.prompts) == len(second.prompts)
    assert first.masks_decoded == second.masks_decoded
    assert first.duplicates_removed == second.duplicates_removed


@pytest.mark.parametrize(
    "request_", [Request(), GRID, Request("grid", points_per_side=4, view=ViewFilters(min_area=50))]
)
@pytest.mark.parametrize("chunk_size", [1, 5, 64])
def test_the_parts_of_a_run_are_its_result(request_: Request, chunk_size: int) -> None:
    segmenter = tiny_segmenter(chunk_size=chunk_size)
    items, result = run(segmenter, request_)
    parts = parts_of(items)
    assert [part.first for part in parts] == list(range(0, len(result.prompts), chunk_size))
    assert parts[-1].done == parts[-1].total == len(result.prompts)
    assert all(part.prompts.multimask == result.prompts.multimask for part in parts)
    assert [part.run.masks_decoded for part in parts] == sorted(part.run.masks_decoded for part in parts)
    sent = [pickle.loads(pickle.dumps(part)) for part in parts]
    same(SegmentationResult.of_partial(sent, is_complete=True), result)
    same(segmenter.segment_everything(picture(), request=request_), result)
    assert result.is_complete


def test_decoding_is_counted_in_prompts() -> None:
    items, _ = run(tiny_segmenter(chunk_size=6), GRID)
    told = [(item.done, item.total) for item in items if isinstance(item, Progress) and item.stage == "decode"]
    assert told == [(0, 16), (6, 16), (12, 16), (16, 16)]


def test_no_objects_give_one_part_of_none() -> None:
    items, result = run(tiny_segmenter(boxes=()))
    (part,) = parts_of(items)
    assert (len(part.masks), len(part.prompts), part.done, part.total) == (0, 0, 0, 0)
    assert result.is_complete


def test_other_filters_replace_the_samplers_own_and_those_of_the_request() -> None:
    strict = MaskFilters(predicted_iou=10.0, stability_offset=0.01, box_nms=0.5)
    segmenter = tiny_segmenter(grid_filters=strict)
    hidden = Request("grid", points_per_side=4, view=ViewFilters(min_area=10**6))
    _, none = run(segmenter, hidden)
    assert len(none.masks) == 0
    _, everything = run(segmenter, hidden, filters=MaskFilters())
    assert everything.own_filters == strict
    assert everything.duplicates_removed == 0
    # Stability stays measured as the sampler measures it, so that its filters can be applied later.
    measured = GridSampler(points_per_side=4, filters=MaskFilters(stability_offset=0.01))
    _, expected = run(segmenter, measured)
    assert everything.masks.rles == expected.masks.rles
    np.testing.assert_array_equal(everything.masks.stability, expected.masks.stability)
    _, other = run(segmenter, hidden, filters=MaskFilters(stability=0.0, stability_offset=2.0))
    assert (other.masks.stability < 1).any()


@pytest.mark.parametrize("chunk_size", [2, 64])
@pytest.mark.parametrize("skip", [0, 3, 12, 50])
def test_skipped_prompts_are_left_out_and_counted(skip: int, chunk_size: int) -> None:
    segmenter = tiny_segmenter(boxes=BOXES, chunk_size=chunk_size)
    _, whole = run(segmenter, filters=MaskFilters())
    items, rest = run(segmenter, filters=MaskFilters(), skip=skip)
    left = max(0, len(BOXES) - skip)
    assert len(rest.prompts) == left
    assert rest.prompts.boxes_xyxy is not None
    assert rest.prompts.boxes_xyxy.tolist() == [list(box) for box in BOXES[skip:]]
    of_rest = whole.masks.select(whole.masks.prompt_index >= skip)
    assert rest.masks.rles == of_rest.rles
    assert (rest.masks.prompt_index + min(skip, 12)).tolist() == of_rest.prompt_index.tolist()
    parts = parts_of(items)
    assert parts[-1].total == left
    for part in parts:  # the parts count all prompts of the picture
        assert set(part.masks.prompt_index) <= set(range(part.first, part.first + len(part.prompts)))
    same(SegmentationResult.of_partial(parts, filters=MaskFilters()), rest)


def test_only_the_first_round_is_skipped() -> None:
    sampler = TwoRounds()
    items, result = run(tiny_segmenter(), sampler, skip=1)
    assert sampler.seen[0] == 0
    assert len(result.prompts) == 2
    assert set(result.masks.prompt_index.tolist()) <= {0, 1}
    assert [part.first for part in parts_of(items)] == [1, 1]


def test_a_sampler_that_asks_again_is_sent_the_round_by_its_own_numbers() -> None:
    sent = []

    class Looks(TwoRounds):
        def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
            inner = super().rounds(picture)
            masks = None
            while True:
                try:
                    masks = yield next(inner) if masks is None else inner.send(masks)
                except StopIteration:
                    return
                sent.append(masks.prompt_index.tolist())

    run(tiny_segmenter(chunk_size=1), Looks(), filters=MaskFilters())
    assert sent[0] == [0]
    assert set(sent[1]) <= {0, 1}


@pytest.mark.parametrize("looks", range(8))
def test_a_stopped_run_ends_with_what_it_has(looks: int) -> None:
    segmenter = tiny_segmenter(boxes=BOXES[:5], chunk_size=1)
    _, whole = run(segmenter)
    items, result = run(segmenter, stop=after(looks))
    decoded = min(5, max(0, looks - 2))  # it looks before encoding, before discovering, and before each chunk
    assert len(result.prompts) == decoded == result.masks_decoded
    assert result.is_complete == (looks >= 7)
    expected = whole.masks.select(whole.masks.prompt_index < decoded)
    assert result.masks.rles == expected.rles
    assert result.to_record()["is_complete"] == result.is_complete
    if looks == 0:
        assert [item.stage for item in items if isinstance(item, Progress)] == ["filter"]


def test_a_result_of_no_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="no parts"):
        SegmentationResult.of_partial([])


def test_a_run_that_skips_a_negative_number_is_refused() -> None:
    with pytest.raises(PromptError, match="skip must not be negative"):
        run(tiny_segmenter(), skip=-1)


@pytest.mark.parametrize("flatten", [False, True])
def test_what_a_request_leaves_out_is_left_out_of_the_result_alone(flatten: bool) -> None:
    segmenter = tiny_segmenter(grid_filters=MaskFilters(box_nms=0.999))
    _, plain = run(segmenter, GRID)
    view = ViewFilters(min_area=int(np.median(plain.masks.areas)) + 1, flatten=flatten)
    _, viewed = run(segmenter, Request("grid", points_per_side=4, view=view))
    expected, _ = apply_filters(plain.masks, view=view)
    assert 0 < len(viewed.masks) < len(plain.masks)
    assert viewed.masks.rles == expected.rles
    assert viewed.masks_decoded == plain.masks_decoded
    assert viewed.duplicates_removed == plain.duplicates_removed


def test_filters_of_a_request_replace_the_samplers_own() -> None:
    segmenter = tiny_segmenter(grid_filters=MaskFilters(predicted_iou=10.0))
    _, all_kept = run(segmenter, Request("grid", points_per_side=4, mask_filters=MaskFilters()))
    assert len(all_kept.masks) > 0


def test_the_record_says_what_was_asked_and_what_came() -> None:
    record = tiny_segmenter().segment_everything(picture(), sampler="grid", points_per_side=4).to_record()
    assert list(record) == [
        "model",
        "device",
        "sampler",
        "request",
        "image",
        "tiles",
        "prompts",
        "masks_decoded",
        "masks",
        "duplicates_removed",
        "coverage",
        "seconds",
        "total_seconds",
        "is_complete",
    ]
    assert record["request"]["points_per_side"] == 4
    assert record["request"]["max_prompts"] == record["prompts"] == 16
    assert record["image"] == {"width": 60, "height": 40, "scaled_to_own_range": False}
    assert 0 < record["coverage"] <= 1
    assert record["total_seconds"] == pytest.approx(sum(record["seconds"].values()), abs=1e-5)


def test_the_confidence_of_a_request_reaches_the_detector() -> None:
    asked = []

    class Watching:
        def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Boxes:
            asked.append((confidence, max_boxes))
            assert inner is not None
            return inner.detect(picture, confidence=confidence, iou=iou, max_boxes=max_boxes)

    segmenter = tiny_segmenter()
    inner = segmenter.detector
    watched = segmenter.with_detector(Watching())
    for confidence in (None, 0.0, 0.7):
        watched.segment_everything(picture(), confidence=confidence, max_prompts=2)
    assert asked == [(0.4, 2), (0.0, 2), (0.7, 2)]
