"""Leaving masks out after decoding: what stays, which pixel is whose."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.filters import (
    MaskFilters,
    ViewFilters,
    apply_filters,
    in_view,
    without_overlaps,
    without_repeats,
)
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.progress import run_to_end
from mobilesamv2.raw_masks import in_prompt_order
from mobilesamv2.request import Request
from mobilesamv2.types import Masks

from .tiny import picture, tiny_segmenter

SIZE = (20, 30)


def rectangles(*boxes: tuple[int, int, int, int], iou: tuple[float, ...] | None = None) -> Masks:
    """Full rectangles x0 y0 x1 y1 of a picture of 20 x 30, best first."""
    scores = np.linspace(0.9, 0.5, len(boxes), dtype=np.float32)
    rles = tuple(
        encode_window(np.ones((y1 - y0, x1 - x0), dtype=np.bool_), origin_yx=(y0, x0), size_hw=SIZE)
        for x0, y0, x1, y1 in boxes
    )
    return Masks(
        size_hw=SIZE,
        rles=rles,
        scores=scores,
        boxes_xyxy=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        predicted_iou=scores if iou is None else np.asarray(iou, dtype=np.float32),
        stability=scores,
        detector_scores=scores,
        prompt_index=np.arange(len(boxes)),
    )


WHOLE, PART, ASIDE = (0, 0, 10, 10), (2, 2, 6, 6), (20, 5, 30, 15)
EVERYTHING = ViewFilters(min_area=5, min_predicted_iou=0.1, min_stability=0.1, mask_nms=0.5, hide_nested=True)


@pytest.mark.parametrize("wanted", [ViewFilters(), EVERYTHING])
def test_no_masks_stay_no_masks(wanted: ViewFilters) -> None:
    assert in_view(Masks.empty(SIZE), wanted).tolist() == []


def test_the_defaults_keep_everything() -> None:
    assert in_view(rectangles(WHOLE, WHOLE, PART, ASIDE), ViewFilters()).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("area", "left"), [(16, [0, 1, 2]), (17, [0, 2]), (100, [0, 2]), (101, [])])
def test_an_area_is_enough_when_it_is_reached(area: int, left: list[int]) -> None:
    assert in_view(rectangles(WHOLE, PART, ASIDE), ViewFilters(min_area=area)).tolist() == left


@pytest.mark.parametrize("name", ["min_predicted_iou", "min_stability"])
def test_a_score_that_is_not_known_fails_where_one_is_asked_for(name: str) -> None:
    scores = np.array([0.9, math.nan, 0.3], dtype=np.float32)
    masks = dataclasses.replace(rectangles(WHOLE, PART, ASIDE), predicted_iou=scores, stability=scores)
    asked: dict[str, Any] = {name: 0.3}
    assert in_view(masks, ViewFilters(**asked)).tolist() == [0, 2]
    asked[name] = 0.0
    assert in_view(masks, ViewFilters(**asked)).tolist() == [0, 1, 2]


def test_of_repeats_the_best_ranked_stays() -> None:
    masks = rectangles((0, 0, 10, 9), WHOLE, ASIDE, (20, 5, 30, 14))
    assert in_view(masks, ViewFilters(mask_nms=0.8)).tolist() == [0, 2]
    assert in_view(masks, ViewFilters(mask_nms=0.95)).tolist() == [0, 1, 2, 3]
    assert in_view(masks, ViewFilters(mask_nms=1.0)).tolist() == [0, 1, 2, 3]


def test_a_mask_that_gave_way_removes_no_other() -> None:
    chain = rectangles((0, 0, 10, 10), (3, 0, 13, 10), (6, 0, 16, 10))  # neighbours overlap by 7/13
    assert without_repeats(chain, 0.5).tolist() == [0, 2]


def test_suppression_agrees_with_dense_masks() -> None:
    random = np.random.default_rng(3)
    corners = random.integers(0, 12, (40, 2))
    boxes = np.concatenate([corners, corners + random.integers(2, 8, (40, 2))], axis=1)
    masks = rectangles(*boxes.tolist())
    dense = masks.dense().reshape(40, -1)
    expected: list[int] = []
    for index in range(40):
        overlaps = [(dense[index] & dense[k]).sum() / (dense[index] | dense[k]).sum() for k in expected]
        if all(overlap <= 0.4 for overlap in overlaps):
            expected.append(index)
    assert without_repeats(masks, 0.4).tolist() == expected
    assert 5 < len(expected) < 40


def test_only_a_mask_that_stays_hides_others() -> None:
    masks = rectangles(PART, WHOLE, iou=(0.9, 0.1))
    wanted = ViewFilters(min_predicted_iou=0.5, hide_nested=True)
    assert in_view(masks, wanted).tolist() == [0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_area": -1},
        {"min_predicted_iou": 1.1},
        {"min_stability": -0.1},
        {"mask_nms": 2.0},
        {"min_area_percent": 100.1},
        {"clean": -1},
        {"min_stability": math.nan},
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(PromptError, match=next(iter(wrong)).removeprefix("min_area") or "smallest area"):
        ViewFilters(**wrong)  # type: ignore[arg-type]


def test_without_overlaps_each_pixel_belongs_to_one_mask_and_none_is_lost() -> None:
    masks = rectangles(WHOLE, PART, (2, 2, 6, 6), (5, 5, 25, 12))
    apart, which = without_overlaps(masks)
    assert which.tolist() == [0, 1, 3]  # nothing is left of the second of two equal masks
    dense = apart.dense()
    assert (dense.sum(axis=0) <= 1).all()
    assert np.array_equal(dense.any(axis=0), masks.dense().any(axis=0))
    assert dense[1].sum() == 16 == apart.areas[1]
    assert apart.coverage == masks.coverage
    for index, (x0, y0, x1, y1) in enumerate(apart.boxes_xyxy.astype(int)):
        rows, columns = np.nonzero(dense[index])
        assert (x0, y0, x1, y1) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_without_overlaps_keeps_scores_and_prompts() -> None:
    masks = rectangles(WHOLE, PART)
    apart, which = without_overlaps(masks)
    assert np.array_equal(apart.scores, masks.scores[which])
    assert np.array_equal(apart.prompt_index, masks.prompt_index[which])


def test_no_masks_have_no_overlaps() -> None:
    apart, which = without_overlaps(Masks.empty(SIZE))
    assert (len(apart), len(which)) == (0, 0)


@pytest.mark.parametrize("all_filters", [True, False])
def test_filtering_afterwards_gives_what_a_run_with_these_filters_gives(all_filters: bool) -> None:
    photo, none = picture(), MaskFilters(stability_offset=0.01)
    request = Request("grid", points_per_side=6)
    steps = tiny_segmenter(grid_filters=none).steps(photo, request, filters=MaskFilters())
    decoded = in_prompt_order(run_to_end(steps).masks)
    iou, stability = (float(np.nanquantile(scores, 0.3)) for scores in (decoded.predicted_iou, decoded.stability))
    strict = MaskFilters(predicted_iou=iou, stability=stability, stability_offset=0.01, box_nms=0.97)
    filters = strict if all_filters else none
    expected = tiny_segmenter(grid_filters=filters).segment_everything(photo, sampler="grid", points_per_side=6)
    kept, which = apply_filters(decoded, filters)
    assert decoded.select(which).rles == kept.rles
    assert 1 < len(kept) <= len(decoded)
    assert (len(kept) < len(decoded)) == all_filters
    assert kept.rles == expected.masks.rles
    assert np.array_equal(kept.prompt_index, expected.masks.prompt_index)


def test_filtering_nothing_gives_nothing() -> None:
    filters = MaskFilters(predicted_iou=0.5, stability=0.5, box_nms=0.5)
    kept, which = apply_filters(Masks.empty(SIZE), filters, EVERYTHING)
    assert (len(kept), which.tolist()) == (0, [])


@pytest.mark.parametrize(("percent", "left"), [(2.66, 3), (2.67, 2), (16.66, 2), (16.7, 0)])
def test_an_area_can_be_asked_for_in_percent_of_the_picture(percent: float, left: int) -> None:
    masks = rectangles(WHOLE, PART, ASIDE)  # 100, 16 and 100 of 600 pixels
    assert len(in_view(masks, ViewFilters(min_area_percent=percent))) == left


def test_islands_and_holes_are_cleaned_away_before_anything_is_measured() -> None:
    dense = np.zeros(SIZE, dtype=np.bool_)
    dense[2:12, 3:13] = True
    dense[5, 5:8] = False  # a hole of 3 pixels
    dense[8:11, 9:12] = False  # one of 9
    dense[0, 0:3] = True  # an island of 3
    dense[15:18, 20:24] = True  # one of 12
    dense[2:6, 12] = False  # open to the side: no hole
    rle = encode_window(dense, origin_yx=(0, 0), size_hw=SIZE)
    masks = dataclasses.replace(rectangles((0, 0, 24, 18)), rles=(rle,))
    expected = dense.copy()
    expected[0, 0:3] = False
    expected[5, 5:8] = True
    (kept,) = apply_filters(masks, view=ViewFilters(clean=4))[:1]
    assert (kept.dense_one(0) == expected).all()
    assert kept.boxes_xyxy.tolist() == [[3, 2, 24, 18]]
    assert len(apply_filters(masks, view=ViewFilters(clean=4, min_area=int(expected.sum())))[0]) == 1
    assert len(apply_filters(masks, view=ViewFilters(clean=4, min_area=int(expected.sum()) + 1))[0]) == 0
    expected[15:18, 20:24] = False
    expected[8:11, 9:12] = True
    (kept,) = apply_filters(masks, view=ViewFilters(clean=100))[:1]
    assert (kept.dense_one(0) == expected).all()  # the largest island stays however small


@pytest.mark.parametrize("clean", [0, 5])
def test_cleaning_leaves_no_masks_and_full_masks_as_they_are(clean: int) -> None:
    for masks in (Masks.empty(SIZE), rectangles(WHOLE, (0, 0, 30, 20))):
        assert apply_filters(masks, view=ViewFilters(clean=clean))[0].rles == masks.rles


def test_flattening_comes_last() -> None:
    masks = rectangles(WHOLE, PART, ASIDE)
    kept, which = apply_filters(masks, view=ViewFilters(hide_nested=True, flatten=True))
    assert which.tolist() == [0, 2]
    assert kept.areas.tolist() == [100, 100]  # the hidden part takes nothing away from the whole
    kept, which = apply_filters(masks, view=ViewFilters(flatten=True))
    assert (which.tolist(), kept.areas.tolist()) == ([0, 1, 2], [84, 16, 100])
