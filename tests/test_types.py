"""The values that everything else speaks: what they accept, and what selecting and joining keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.errors import MobileSamError, PromptError
from mobilesamv2.results import STAGES, SegmentationResult
from mobilesamv2.types import Bools, Masks, Prompts


def points(count: int, each: int = 1) -> Prompts:
    places = np.arange(count * each * 2, dtype=np.float32).reshape(count, each, 2)
    return Prompts(points=places, labels=np.ones((count, each), dtype=np.int64))


def boxes(count: int) -> Prompts:
    corners = np.tile(np.array([1, 2, 5, 6], dtype=np.float32), (count, 1))
    return Prompts(boxes_xyxy=corners, scores=np.linspace(0, 1, count, dtype=np.float32))


def masks_of(*dense: Bools, scores: list[float] | None = None) -> Masks:
    """Masks of these arrays, with numbers of their own in every field."""
    rles = tuple(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in dense)
    count = len(dense)
    corners = np.array([coco_mask.toBbox(rle) for rle in rles], dtype=np.float32).reshape(count, 4)
    corners[:, 2:] += corners[:, :2]
    ranks = np.arange(count, dtype=np.float32)
    return Masks(
        size_hw=(6, 8),
        rles=rles,
        scores=np.array(scores if scores is not None else ranks / 10, dtype=np.float32),
        boxes_xyxy=corners,
        predicted_iou=(ranks / 8).astype(np.float32),
        stability=np.full(count, np.nan, dtype=np.float32),
        detector_scores=(ranks / 4).astype(np.float32),
        prompt_index=np.arange(count),
    )


def rectangle(y0: int, x0: int, y1: int, x1: int) -> Bools:
    mask = np.zeros((6, 8), dtype=np.bool_)
    mask[y0:y1, x0:x1] = True
    return mask


WHOLE, PART, SPECK, NOTHING = (
    rectangle(0, 0, 6, 8),
    rectangle(1, 2, 5, 6),
    rectangle(2, 3, 3, 4),
    rectangle(0, 0, 0, 0),
)


# Prompts


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "neither"),
        ({"points": np.zeros((2, 1, 2))}, "come together"),
        ({"labels": np.zeros((2, 1)), "boxes_xyxy": np.zeros((2, 4))}, "come together"),
        ({"points": np.zeros((2, 2)), "labels": np.zeros(2)}, "(N, P, 2)"),
        ({"points": np.zeros((2, 1, 2)), "labels": np.zeros((2, 2))}, "one per point"),
        ({"boxes_xyxy": np.zeros(4)}, "(N, 4)"),
        ({"boxes_xyxy": np.zeros((2, 4)), "scores": np.zeros(3)}, "equally many"),
        ({"boxes_xyxy": np.full((1, 4), np.nan)}, "Boxes must be finite"),
        ({"points": np.full((1, 1, 2), np.inf), "labels": np.ones((1, 1))}, "Points must be finite"),
    ],
)
def test_prompts_that_make_no_sense_are_refused(arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(PromptError) as caught:
        Prompts(**arguments)
    assert expected in str(caught.value)
    assert isinstance(caught.value, MobileSamError)


@pytest.mark.parametrize("prompts", [points(0), points(0, 3), boxes(0)])
def test_no_prompts_are_prompts_too(prompts: Prompts) -> None:
    assert len(prompts) == 0
    assert len(prompts[:5]) == 0
    assert len(Prompts.concatenate([prompts, prompts])) == 0


@pytest.mark.parametrize("prompts", [points(7, 2), boxes(7)])
def test_cut_prompts_joined_again_are_the_same(prompts: Prompts) -> None:
    again = Prompts.concatenate([prompts[:3], prompts[3:3], prompts[3:]])
    assert len(again) == 7
    for name in ("points", "labels", "boxes_xyxy", "scores"):
        before, after = getattr(prompts, name), getattr(again, name)
        if before is None:
            assert after is None
        else:
            np.testing.assert_array_equal(after, before)


def test_prompts_are_selected_by_slice_index_and_truth() -> None:
    prompts = boxes(4)
    assert prompts.scores is not None
    for index in (slice(1, 3), np.array([1, 2]), np.array([False, True, True, False])):
        chosen = prompts[index]
        np.testing.assert_array_equal(chosen.scores, prompts.scores[1:3])
        assert chosen.boxes_xyxy is not None
        assert chosen.boxes_xyxy.shape == (2, 4)


def test_no_prompts_at_all_are_not_joined() -> None:
    with pytest.raises(PromptError, match="nothing to concatenate"):
        Prompts.concatenate([])


def test_prompts_of_different_kinds_are_padded_when_they_are_joined() -> None:
    both = Prompts.concatenate([points(1, 1), boxes(2), points(1, 2)])
    assert both.has_box.tolist() == [False, True, True, False]
    assert both.is_mixed
    assert not both[1:3].is_mixed
    assert both.labels is not None
    assert both.labels[:, 0].tolist() == [1, -1, -1, 1]
    alone = [row for part in (points(1, 1), boxes(2), points(1, 2)) for row in part.to_list()]
    assert both.to_list() == alone
    assert json.loads(json.dumps(both.to_list(), allow_nan=False)) == both.to_list()


def test_parts_of_no_prompts_do_not_make_the_others_mixed() -> None:
    joined = Prompts.concatenate([boxes(0), points(3)])
    assert joined.boxes_xyxy is None
    assert Prompts.concatenate([boxes(0), points(0)]).boxes_xyxy is not None


@pytest.mark.parametrize("label", [-1, None])
def test_a_box_of_nan_without_a_point_is_refused(label: int | None) -> None:
    given: dict[str, Any] = {"boxes_xyxy": np.full((1, 4), np.nan, dtype=np.float32)}
    if label is not None:
        given |= {"points": np.zeros((1, 1, 2), np.float32), "labels": np.full((1, 1), label)}
    with pytest.raises(PromptError, match="finite"):
        Prompts(**given)


# Masks


def test_no_masks_are_masks_too() -> None:
    masks = Masks.empty((6, 8))
    assert len(masks) == 0
    assert list(masks) == []
    assert masks.areas.shape == (0,)
    assert masks.areas.dtype == np.int64
    assert masks.dense().shape == (0, 6, 8)
    assert masks.to_coco() == []
    assert (masks.label_map() == 0).all()
    assert masks.label_map().shape == (6, 8)
    assert len(masks.sorted_by_score()) == len(masks.select(slice(None))) == len(masks.select([])) == 0
    assert len(Masks.concatenate([masks, masks])) == 0


def test_dense_masks_come_back_as_they_went_in() -> None:
    generator = np.random.default_rng(0)
    dense = generator.random((5, 6, 8)) < 0.4
    masks = masks_of(*dense)
    np.testing.assert_array_equal(masks.dense(), dense)
    for index, mask in enumerate(masks):
        np.testing.assert_array_equal(mask, dense[index])
        x0, y0, x1, y1 = masks.boxes_xyxy[index].astype(int)
        np.testing.assert_array_equal(masks.window(index), dense[index, y0:y1, x0:x1])
    np.testing.assert_array_equal(masks.areas, dense.sum(axis=(1, 2)))


def test_the_window_of_an_empty_mask_has_no_pixels() -> None:
    assert masks_of(NOTHING).window(0).size == 0


def test_areas_of_hundreds_of_masks_are_counted() -> None:
    assert masks_of(*[PART] * 320).areas.tolist() == [16] * 320


@pytest.mark.parametrize(
    "name", ["scores", "boxes_xyxy", "predicted_iou", "stability", "detector_scores", "prompt_index"]
)
def test_every_field_has_one_row_per_mask(name: str) -> None:
    good = masks_of(WHOLE, PART)
    fields = {key: value for key, value in vars(good).items() if key != name}
    with pytest.raises(ValueError, match=f"{name} must have one row per mask: expected 2, got 1"):
        Masks(**fields, **{name: getattr(good, name)[:1]})


def test_boxes_of_another_shape_and_masks_of_another_picture_are_refused() -> None:
    fields = vars(masks_of(WHOLE))
    with pytest.raises(ValueError, match=r"\(1, 4\)"):
        Masks(**{**fields, "boxes_xyxy": np.zeros((1, 3), dtype=np.float32)})
    with pytest.raises(ValueError, match="the picture has"):
        Masks(**{**fields, "size_hw": (8, 6)})


@pytest.mark.parametrize(
    "index", [[2, 0], np.array([2, 0]), (2, 0), slice(2, None, -2)], ids=["list", "array", "tuple", "slice"]
)
def test_selected_masks_keep_all_their_numbers_and_that_order(index: object) -> None:
    masks = masks_of(WHOLE, PART, SPECK)
    chosen = masks.select(index)  # type: ignore[arg-type]
    assert chosen.rles == (masks.rles[2], masks.rles[0])
    for name in ("scores", "boxes_xyxy", "predicted_iou", "stability", "detector_scores", "prompt_index"):
        np.testing.assert_array_equal(getattr(chosen, name), getattr(masks, name)[[2, 0]])


def test_masks_are_selected_by_truth() -> None:
    masks = masks_of(WHOLE, PART, SPECK)
    for keep in (np.array([False, True, True]), [False, True, True]):
        assert masks.select(keep).prompt_index.tolist() == [1, 2]


def test_masks_are_sorted_best_first_and_equal_ones_keep_their_order() -> None:
    masks = masks_of(WHOLE, PART, SPECK, NOTHING, scores=[0.2, 0.9, 0.2, 0.5])
    assert masks.sorted_by_score().prompt_index.tolist() == [1, 3, 0, 2]


def test_cut_masks_joined_again_are_the_same() -> None:
    masks = masks_of(WHOLE, PART, SPECK)
    again = Masks.concatenate([masks.select([0]), Masks.empty((6, 8)), masks.select([1, 2])])
    assert again.to_coco() == masks.to_coco()


@pytest.mark.parametrize("parts", [[], [Masks.empty((6, 8)), Masks.empty((8, 6))]])
def test_masks_of_different_pictures_are_not_joined(parts: list[Masks]) -> None:
    with pytest.raises(ValueError, match=r"one size|at least one"):
        Masks.concatenate(parts)


def test_a_part_stays_visible_on_the_whole_it_lies_on() -> None:
    for order in ((WHOLE, PART, SPECK), (SPECK, PART, WHOLE)):
        labels = masks_of(*order).label_map()
        by_mask = {index + 1: int((labels == index + 1).sum()) for index in range(3)}
        expected = {True: [32, 15, 1], False: [1, 15, 32]}[order[0] is WHOLE]
        assert list(by_mask.values()) == expected


def test_of_equally_large_masks_the_better_ranked_is_on_top() -> None:
    labels = masks_of(PART, PART, NOTHING).label_map()
    assert set(np.unique(labels)) == {0, 1}


def test_coco_records_survive_json_and_say_none_for_the_unknown() -> None:
    masks = masks_of(WHOLE, SPECK, NOTHING)
    records = json.loads(json.dumps(masks.to_coco(), allow_nan=False))
    assert [record["area"] for record in records] == [48, 1, 0]
    assert records[1]["bbox"] == [3, 2, 1, 1]
    assert records[2]["bbox"] == [0, 0, 0, 0]
    assert [record["prompt_index"] for record in records] == [0, 1, 2]
    assert records[1]["stability_score"] is None
    assert records[1]["detector_score"] == 0.25
    for record, rle in zip(records, masks.rles, strict=True):
        back = {"size": record["segmentation"]["size"], "counts": record["segmentation"]["counts"].encode()}
        assert int(coco_mask.area(back)) == int(coco_mask.area(rle))


def test_an_infinite_number_is_none_in_coco_records() -> None:
    masks = replace(masks_of(WHOLE), predicted_iou=np.array([np.inf], dtype=np.float32))
    (record,) = json.loads(json.dumps(masks.to_coco(), allow_nan=False))
    assert record["predicted_iou"] is None


def test_a_result_counts_the_seconds_of_all_its_stages() -> None:
    result = SegmentationResult(
        masks=Masks.empty((6, 8)),
        prompts=boxes(0),
        timings=dict.fromkeys(STAGES, 0.5),
        masks_decoded=0,
        sampler="grid",
        model="nano",
        device="cpu",
    )
    assert result.seconds == 0.5 * len(STAGES)


def test_what_no_mask_covers_is_the_rest_of_the_picture() -> None:
    masks = masks_of(PART, SPECK, rectangle(5, 0, 6, 8))
    assert (masks.uncovered() == ~masks.dense().any(axis=0)).all()
    assert masks.uncovered().mean() == pytest.approx(1 - masks.coverage)
    assert Masks.empty((6, 8)).uncovered().all()
