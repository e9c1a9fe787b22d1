"""Average recall on cases small enough to count by hand, and against COCOeval over many pictures at once."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mobilesamv2.evaluate.datasets import LabelledObject
from mobilesamv2.evaluate.recall import MAX_MASKS, SIZES, Found, find, total
from mobilesamv2.types import Floats, Rle

SIZE_HW = (120, 160)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Rle:
    dense = np.zeros(SIZE_HW, dtype=np.uint8, order="F")
    dense[y0:y1, x0:x1] = 1
    rle: Rle = coco_mask.encode(dense)
    return rle


def labelled(rle: Rle, **options: Any) -> LabelledObject:
    box = tuple(float(edge) for edge in coco_mask.toBbox(rle))
    assert len(box) == 4
    return LabelledObject(rle, box, float(coco_mask.area(rle)), **options)


FIRST, SECOND = rectangle(0, 0, 20, 20), rectangle(50, 50, 90, 90)


def recalls(truth: list[LabelledObject], answers: list[Rle], scores: list[float]) -> dict[str, float | None]:
    return find("segm", truth, answers, np.array(scores, dtype=np.float32))["all"].average_recall()


def test_perfect_masks_are_found_in_order_of_their_scores() -> None:
    found = recalls([labelled(FIRST), labelled(SECOND)], [SECOND, FIRST], [0.3, 0.9])
    assert found == {"1": 0.5, "10": 1, "100": 1, "1000": 1}


def test_no_masks_have_a_recall_of_zero_and_no_objects_have_none() -> None:
    assert recalls([labelled(FIRST)], [], [])["1000"] == 0
    assert recalls([], [FIRST], [1.0])["1000"] is None
    assert recalls([], [], [])["1000"] is None


def test_a_partial_mask_counts_at_the_thresholds_it_reaches() -> None:
    # 20 x 20 against 20 x 14: IoU .7, so it counts at .50, .55, .60, .65 and .70 of ten thresholds.
    assert recalls([labelled(FIRST)], [rectangle(0, 0, 14, 20)], [1.0])["1"] == pytest.approx(0.5)


def test_two_masks_on_one_object_find_it_once() -> None:
    assert recalls([labelled(FIRST), labelled(SECOND)], [FIRST, FIRST], [0.9, 0.8])["1000"] == 0.5


def test_crowds_are_no_objects_and_sizes_and_frequencies_split_them() -> None:
    truth = [labelled(FIRST, frequency="rare"), labelled(SECOND, frequency="frequent")]
    truth.append(labelled(rectangle(100, 0, 160, 120), is_crowd=True))
    found = find("segm", truth, [SECOND], np.ones(1, dtype=np.float32))
    assert {name: (each.objects, each.average_recall()["1"]) for name, each in found.items()} == {
        "all": (2, 0.5),
        "small": (1, 0),
        "medium": (1, 1),
        "large": (0, None),
        "rare": (1, 0),
        "frequent": (1, 1),
    }


def test_counts_survive_json_and_add_up() -> None:
    found = find("segm", [labelled(FIRST)], [FIRST], np.ones(1, dtype=np.float32))
    again = {name: Found.from_json(each.to_json()) for name, each in found.items()}
    missed = find("segm", [labelled(FIRST), labelled(SECOND), labelled(SECOND)], [], np.zeros(0, dtype=np.float32))
    assert total([again, missed])["all"].average_recall()["1000"] == 0.25
    assert total([])["all"].average_recall()["10"] is None


@dataclass(frozen=True)
class Picture:
    truth: list[LabelledObject]
    answers: list[Rle]
    boxes_xyxy: Floats
    scores: Floats


def random_picture(random: np.random.Generator) -> Picture:
    """Objects, near copies of them and other things; scores of one digit, so that ties are frequent."""

    def some() -> tuple[int, int, int, int]:
        x0, y0, side = int(random.integers(0, 120)), int(random.integers(0, 90)), int(random.integers(4, 110))
        return x0, y0, min(160, x0 + side), min(120, y0 + int(side * random.uniform(0.5, 1.5)) + 1)

    places = [some() for _ in range(random.integers(0, 15))]
    copies = [(x0, y0, max(x0 + 1, x1 - int(random.integers(0, 12))), y1) for x0, y0, x1, y1 in places * 2]
    answers = [] if random.random() < 0.2 else [rectangle(*box) for box in [*copies, *(some() for _ in range(9))]]
    boxes = np.asarray(coco_mask.toBbox(answers), dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    scores = (random.integers(0, 10, len(answers)) / 10).astype(np.float32)
    truth = [labelled(rectangle(*box), is_crowd=random.random() < 0.1) for box in places]
    return Picture(truth, answers, boxes, scores)


def coco_recall(kind: str, pictures: list[Picture]) -> dict[str, list[float | None]]:
    """AR@K for each size as COCOeval gives it for all pictures together."""
    truth: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for image_id, picture in enumerate(pictures, start=1):
        for each in picture.truth:
            mask = {"segmentation": each.rle, "bbox": list(each.box_xywh), "area": each.area}
            ids = {"id": len(truth) + 1, "image_id": image_id, "category_id": 1}
            truth.append({**ids, "iscrowd": int(each.is_crowd), **mask})
        for rle, score in zip(picture.answers, picture.scores, strict=True):
            box = [float(edge) for edge in coco_mask.toBbox(rle)]
            answer = {"segmentation": rle} if kind == "segm" else {"bbox": box}
            answers.append({"image_id": image_id, "category_id": 1, "score": float(score), **answer})
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = COCO()
        images = [{"id": number, "height": 120, "width": 160} for number in range(1, len(pictures) + 1)]
        categories = [{"id": 1, "name": "object"}]
        dataset.dataset = {"info": {}, "images": images, "annotations": truth, "categories": categories}
        dataset.createIndex()
        evaluation = COCOeval(dataset, dataset.loadRes(answers), kind)
        evaluation.params.useCats = 0
        evaluation.params.maxDets = list(MAX_MASKS)
        evaluation.evaluate()
        evaluation.accumulate()
    recall = evaluation.eval["recall"][:, 0].mean(axis=0)  # (sizes, counts); -1 where there are no such objects
    return {name: [None if value < 0 else value for value in row] for name, row in zip(SIZES, recall, strict=True)}


@pytest.mark.parametrize("kind", ["segm", "bbox"])
@pytest.mark.parametrize("seed", [0, 1])
def test_recall_is_that_of_cocoeval(kind: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    pictures = [random_picture(random) for _ in range(40)]
    assert 200 < sum(len(picture.truth) for picture in pictures) < 400
    assert any(not picture.truth for picture in pictures)
    found = total(
        find(kind, each.truth, each.answers if kind == "segm" else each.boxes_xyxy, each.scores) for each in pictures
    )
    ours = {name: list(each.average_recall().values()) for name, each in found.items()}
    assert ours == {name: pytest.approx(row, abs=1e-9) for name, row in coco_recall(kind, pictures).items()}
