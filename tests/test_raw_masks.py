"""All masks of a picture before filters: whole or in part, added to, filtered as a run would, numbered."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mobilesamv2.filters import MaskFilters, ViewFilters
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.progress import run_to_end
from mobilesamv2.raw_masks import RawMasks, free_numbers, numbers_like
from mobilesamv2.request import Request
from mobilesamv2.results import PartialMasks, SegmentationResult
from mobilesamv2.types import Masks

from .tiny import picture, tiny_segmenter

RANDOM = np.random.default_rng(5)
CORNERS = RANDOM.integers(0, 30, (90, 2))
BOXES = np.concatenate([CORNERS, CORNERS + RANDOM.integers(5, 25, (90, 2))], axis=1).tolist()
KEEP_ALL = MaskFilters()


def raw(prompts: int, sampler: str = "object-aware", *, skip: int = 0, finds: int = 50) -> RawMasks:
    segmenter = tiny_segmenter(boxes=BOXES[:finds], chunk_size=16)
    request = Request(sampler, max_prompts=prompts)
    return RawMasks.of(run_to_end(segmenter.steps(picture(), request, filters=KEEP_ALL, skip=skip)))


def same(first: RawMasks, second: RawMasks) -> None:
    assert np.array_equal(first.masks.prompt_index, second.masks.prompt_index)
    assert [rle["counts"] for rle in first.masks.rles] == [rle["counts"] for rle in second.masks.rles]
    assert len(first.prompts) == len(second.prompts)


@pytest.mark.parametrize("prompts", [1, 16, 50])
def test_fewer_boxes_are_those_of_a_smaller_run(prompts: int) -> None:
    same(raw(50).within(prompts), raw(prompts))


def test_numbers_stay_the_same_when_prompts_are_left_out() -> None:
    whole = raw(50)
    part = whole.within(20)
    assert [whole.masks.rles[number] for number in part.numbers] == list(part.masks.rles)


@pytest.mark.parametrize("prompts", [16, 30, 100])
def test_a_smaller_grid_has_its_number_of_points_spread_over_the_picture(prompts: int) -> None:
    part = raw(100, "grid").within(prompts)
    side = math.isqrt(prompts)
    assert part.prompts.points is not None
    x = np.unique(part.prompts.points[:, 0, 0])
    assert (len(part.prompts), len(x)) == (side * side, side)
    assert x[0] < 60 / side
    assert x[-1] > 60 - 60 / side


@pytest.mark.parametrize("skip", [16, 32])
def test_the_rest_can_be_added_to_what_is_there(skip: int) -> None:
    one, more = raw(skip), raw(50, skip=skip)
    both = one.extended(more)
    same(both, raw(50))
    assert both.budget == 50
    assert both.numbers.tolist() == list(range(len(both.masks)))
    assert both.run.masks_decoded == 50
    assert both.run.timings["encode"] == one.run.timings["encode"]
    assert both.run.timings["decode"] == pytest.approx(one.run.timings["decode"] + more.run.timings["decode"])


@pytest.mark.parametrize("sampler", ["object-aware", "grid"])
@pytest.mark.parametrize("skip", [0, 16])
def test_what_a_stopped_run_decoded_answers_a_smaller_budget(skip: int, sampler: str) -> None:
    segmenter = tiny_segmenter(boxes=BOXES[:50], chunk_size=16)
    request = Request(sampler, max_prompts=50)
    steps = segmenter.steps(picture(), request, filters=KEEP_ALL, skip=skip)
    parts = [item for item in steps if isinstance(item, PartialMasks)][:1]
    part = RawMasks.of(SegmentationResult.of_partial(parts, filters=KEEP_ALL))
    assert not part.is_complete
    assert not part.is_exhausted
    assert part.answers(16) == (sampler != "grid")  # a part of a grid is no smaller grid
    assert not part.answers(17)
    if sampler != "grid":
        whole = raw(skip).extended(part) if skip else part
        same(whole, raw(skip + 16))
        assert (whole.budget, whole.is_complete) == (skip + 16, False)


def test_what_can_be_answered_without_the_model() -> None:
    some = raw(20)
    assert some.answers(20)
    assert not some.answers(21)
    everything = raw(90, finds=50)
    assert everything.is_exhausted
    assert everything.answers(1000)
    grid = raw(100, "grid")
    assert grid.answers(120)  # 10 x 10, too
    assert not grid.answers(121)
    assert not grid.is_exhausted


@pytest.mark.parametrize("prompts", [1, 320])
def test_no_objects_are_no_masks(prompts: int) -> None:
    nothing = raw(320, finds=0)
    assert len(nothing.within(prompts).masks) == 0
    assert nothing.is_exhausted
    assert nothing.nbytes == 0
    same(raw(2).extended(raw(320, skip=2, finds=2)), raw(2))


@pytest.mark.parametrize("budget", [4, 16])
def test_a_request_leaves_of_them_what_a_run_of_its_own_gives(budget: int) -> None:
    own = MaskFilters(predicted_iou=0.0, box_nms=0.95)
    segmenter = tiny_segmenter(grid_filters=own)
    view = ViewFilters(min_area=200, flatten=True)
    request = Request("grid", max_prompts=budget, view=view)
    steps = segmenter.steps(picture(), Request("grid", max_prompts=16), filters=KEEP_ALL)
    decoded = RawMasks.of(run_to_end(steps))
    masks, numbers = decoded.filtered(request)
    assert len(masks) == len(numbers) > 0
    if budget == 16:  # points of a smaller grid lie elsewhere
        assert masks.rles == segmenter.segment_everything(picture(), request=request).masks.rles
    unfiltered, _ = decoded.filtered(request, own_filters=False)
    assert len(unfiltered) > len(masks)


def squares(count: int) -> Masks:
    """Masks that lie apart, best first."""
    boxes = [(10 * index, 0, 10 * index + 8, 8) for index in range(count)]
    full, size_hw = np.ones((8, 8), dtype=np.bool_), (10, 10 * count)
    scores = np.linspace(0.9, 0.5, count, dtype=np.float32)
    return Masks(
        size_hw=size_hw,
        rles=tuple(encode_window(full, origin_yx=(0, x0), size_hw=size_hw) for x0, *_ in boxes),
        scores=scores,
        boxes_xyxy=np.asarray(boxes, dtype=np.float32),
        predicted_iou=scores,
        stability=scores,
        detector_scores=scores,
        prompt_index=np.arange(count),
    )


def test_matched_masks_take_the_numbers_of_those_that_are_known() -> None:
    masks = squares(12)
    found = numbers_like(masks, np.arange(12), masks.select([2, 7, 1]), np.array([3, 40, 5]))
    assert found[[2, 7, 1]].tolist() == [3, 40, 5]
    assert np.delete(found, [2, 7, 1]).tolist() == [0, 1, 2, 4, 6, 7, 8, 9, 10]


def test_masks_that_nobody_sees_are_not_matched() -> None:
    masks, numbers = squares(12), np.arange(100, 112)
    found = numbers_like(masks, np.array([4]), masks, numbers)
    assert found[4] == 104
    assert sorted(found)[:-1] == list(range(11))
    whole = replace(raw(12), masks=masks)
    assert whole.numbered_like(masks, numbers).numbers.tolist() == numbers.tolist()


def test_free_numbers_are_the_smallest_that_are_left() -> None:
    assert free_numbers(3, taken=np.array([0, 2, 9])).tolist() == [1, 3, 4]
    assert free_numbers(0, taken=np.array([1])).tolist() == []
