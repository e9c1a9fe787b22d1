"""Average recall on cases small enough to count by hand, and against pycocotools on random ones."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobilesamv2.evaluate.average_recall import average_recall, match, recall_table
from mobilesamv2.types import Masks, Rle

SIZE_HW = (120, 160)


def _rectangle(x0: int, y0: int, x1: int, y1: int) -> Rle:
    dense = np.zeros(SIZE_HW, dtype=np.uint8, order="F")
    dense[y0:y1, x0:x1] = 1
    rle: Rle = coco_mask.encode(dense)
    return rle


def _masks(rles: Sequence[Rle], scores: Sequence[float]) -> Masks:
    count = len(rles)
    unknown = np.full(count, np.nan, dtype=np.float32)
    return Masks(
        size_hw=SIZE_HW,
        rles=tuple(rles),
        scores=np.asarray(scores, dtype=np.float32),
        boxes_xyxy=np.zeros((count, 4), dtype=np.float32),
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=np.arange(count),
    )


def _recall(truth: Sequence[Rle], masks: Masks, *, k: int = 100) -> float:
    return average_recall([match(truth, masks, max_masks=k)["all"]], max_masks=k)


FIRST, SECOND = _rectangle(0, 0, 20, 20), _rectangle(50, 50, 90, 90)


def test_perfect_masks_have_a_recall_of_one() -> None:
    assert _recall([FIRST, SECOND], _masks([SECOND, FIRST], [0.3, 0.9])) == 1


def test_no_masks_have_a_recall_of_zero() -> None:
    assert _recall([FIRST, SECOND], Masks.empty(SIZE_HW)) == 0


def test_recall_without_objects_is_not_a_number() -> None:
    assert math.isnan(_recall([], _masks([FIRST], [1.0])))
    assert math.isnan(average_recall([], max_masks=10))


def test_a_partial_mask_counts_at_the_thresholds_it_reaches() -> None:
    # 20 x 20 against 20 x 14: IoU .7, so it counts at .50, .55, .60, .65 and .70 of ten thresholds.
    assert _recall([FIRST], _masks([_rectangle(0, 0, 14, 20)], [1.0])) == pytest.approx(0.5)


def test_two_masks_on_one_object_find_it_once() -> None:
    assert _recall([FIRST, SECOND], _masks([FIRST, FIRST], [0.9, 0.8])) == 0.5


def test_a_better_ranked_mask_takes_the_object_and_leaves_the_worse_one_nothing() -> None:
    # The first choice covers 14/20 of the object, the second all of it; above .70 the second is free to.
    loose = _rectangle(0, 0, 14, 20)
    assert _recall([FIRST], _masks([loose, FIRST], [0.9, 0.8])) == 1


def test_only_the_best_ranked_masks_take_part() -> None:
    masks = _masks([FIRST, SECOND], [0.1, 0.9])
    pictures = [match([FIRST, SECOND], masks, max_masks=2)["all"]]
    assert average_recall(pictures, max_masks=1) == 0.5
    assert average_recall(pictures, max_masks=2) == 1


def test_pictures_count_by_their_objects() -> None:
    found = match([FIRST], _masks([FIRST], [1.0]), max_masks=10)["all"]
    missed = match([FIRST, SECOND, _rectangle(100, 0, 120, 30)], Masks.empty(SIZE_HW), max_masks=10)["all"]
    assert average_recall([found, missed], max_masks=10) == 0.25


def test_sizes_split_the_objects() -> None:
    # 400 pixels is small, 1,600 is medium, and there is no large one.
    table = recall_table([match([FIRST, SECOND], _masks([SECOND], [1.0]), max_masks=10)], max_masks=(1, 10))
    assert table["AR@1"] == table["AR@10"] == 0.5
    assert table["AR@10 small"] == 0
    assert table["AR@10 medium"] == 1
    assert math.isnan(table["AR@10 large"])


def _random_picture(random: np.random.Generator) -> tuple[list[Rle], Masks]:
    def rectangle() -> tuple[int, int, int, int]:
        x0, y0 = int(random.integers(0, 120)), int(random.integers(0, 90))
        side = int(random.integers(4, 110))
        return x0, y0, min(160, x0 + side), min(120, y0 + int(side * random.uniform(0.5, 1.5)) + 1)

    boxes = [rectangle() for _ in range(random.integers(0, 9))]
    moved = [
        (
            max(0, x0 - int(random.integers(0, 4))),
            y0,
            max(x0 + 1, x1 - int(random.integers(0, 12))),
            y1,
        )
        for x0, y0, x1, y1 in boxes * 2
    ]
    answers = [_rectangle(*box) for box in [*moved, *(rectangle() for _ in range(5))]]
    # Scores of one digit: ties are frequent.
    scores = random.integers(0, 10, len(answers)) / 10
    return [_rectangle(*box) for box in boxes], _masks(answers, list(scores))


def _coco_recall(pictures: Sequence[tuple[list[Rle], Masks]], ks: Sequence[int]) -> dict[str, float]:
    truth, answers = [], []
    for image_id, (rles, masks) in enumerate(pictures, start=1):
        truth += [
            {
                "id": len(truth) + number,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "area": int(coco_mask.area(rle)),
                "bbox": [float(edge) for edge in coco_mask.toBbox(rle)],
                "segmentation": rle,
            }
            for number, rle in enumerate(rles, start=1)
        ]
        answers += [
            {"image_id": image_id, "category_id": 1, "segmentation": rle, "score": float(score)}
            for rle, score in zip(masks.rles, masks.scores, strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        dataset.dataset = {
            "info": {},
            "images": [{"id": i, "height": 120, "width": 160} for i in range(1, len(pictures) + 1)],
            "annotations": truth,
            "categories": [{"id": 1, "name": "object"}],
        }
        dataset.createIndex()
        evaluation = COCOeval(dataset, dataset.loadRes(answers), "segm")
        evaluation.params.useCats = 0
        evaluation.params.maxDets = list(ks)
        evaluation.evaluate()
        evaluation.accumulate()
    recall = evaluation.eval["recall"]  # thresholds, categories, sizes, counts
    recall = np.where(recall < 0, np.nan, recall)  # -1 says that there are no such objects
    means = {
        (size, k): float(recall[:, 0, i, j].mean())
        for i, size in enumerate(("all", "small", "medium", "large"))
        for j, k in enumerate(ks)
    }
    table = {f"AR@{k}": means["all", k] for k in ks}
    return table | {f"AR@{ks[-1]} {size}": means[size, ks[-1]] for size in ("small", "medium", "large")}


@pytest.mark.parametrize("seed", range(6))
def test_recall_is_that_of_pycocotools(seed: int) -> None:
    random = np.random.default_rng(seed)
    pictures = [_random_picture(random) for _ in range(6)]
    ks = (1, 5, 20)
    ours = recall_table([match(rles, masks, max_masks=20) for rles, masks in pictures], max_masks=ks)
    theirs = _coco_recall(pictures, ks)
    assert list(ours) == list(theirs)
    assert list(ours.values()) == pytest.approx(list(theirs.values()), abs=1e-9, nan_ok=True)
    assert 0 < ours["AR@20"] < 1
