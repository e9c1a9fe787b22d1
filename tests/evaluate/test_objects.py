"""What became of each object: found, filtered away, masked badly or never asked about."""

from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.evaluate.baselines import filled_box
from mobilesamv2.evaluate.datasets import LabelledObject
from mobilesamv2.evaluate.objects import FATES, ObjectResults, mean_recall, object_facts, object_results
from mobilesamv2.types import Masks, Prompts

SIZE = (40, 60)
BOXES = [(0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10), (0, 20, 10, 30)]


def labelled(box: tuple[int, ...], *, is_crowd: bool = False) -> LabelledObject:
    x0, y0, x1, y1 = box
    rle = filled_box(np.array(box), size_hw=SIZE)
    return LabelledObject(rle, (x0, y0, x1 - x0, y1 - y0), (x1 - x0) * (y1 - y0), is_crowd)


def masks(*boxes: tuple[int, ...]) -> Masks:
    ones = np.ones(len(boxes), dtype=np.float32)
    return Masks(
        size_hw=SIZE,
        rles=tuple(filled_box(np.array(box), size_hw=SIZE) for box in boxes),
        scores=ones,
        boxes_xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        prompt_index=np.zeros(len(boxes), dtype=np.int64),
        predicted_iou=ones,
        stability=ones,
        detector_scores=ones,
    )


def test_each_object_has_the_first_fate_that_fits() -> None:
    found, lost, poor, _ = BOXES  # nothing asks about the last
    results = object_results(
        [labelled(box) for box in BOXES],
        prompts=Prompts(boxes_xyxy=np.array([found, lost, poor], dtype=np.float32)),
        raw=masks(found, lost, (40, 0, 50, 4)),
        kept=masks(found, (40, 0, 50, 4)),
    )
    assert results.fates() == list(FATES)
    np.testing.assert_allclose(results.iou, [1, 0, 0.4, 0])
    np.testing.assert_allclose(results.raw_iou, [1, 1, 0.4, 0])
    np.testing.assert_allclose(results.boundary_iou[[0, 1, 3]], [1, 0, 0])
    assert results.asked.tolist() == [True, True, True, False]


def test_a_point_asks_about_the_objects_it_lies_on() -> None:
    points = np.array([[[5, 5]], [[29.4, 9.4]], [[50, 5]], [[59.6, 39.6]]], dtype=np.float32)
    prompts = Prompts(points=points, labels=np.ones((4, 1), dtype=np.int64))
    results = object_results([labelled(box) for box in BOXES], prompts=prompts, raw=masks(), kept=masks())
    assert results.asked.tolist() == [True, True, False, False]


def test_crowds_are_left_out_and_no_objects_are_no_results() -> None:
    crowd = [labelled(BOXES[0], is_crowd=True)]
    prompts = Prompts(boxes_xyxy=np.array(BOXES, dtype=np.float32))
    assert object_results(crowd, prompts=prompts, raw=masks(*BOXES), kept=masks(*BOXES)).fates() == []
    assert len(object_facts(crowd).area) == 0


def test_facts_tell_size_overlap_and_crowdedness() -> None:
    facts = object_facts([labelled((0, 0, 10, 10)), labelled((0, 0, 10, 20)), labelled((40, 0, 50, 5))])
    np.testing.assert_allclose(facts.area, [100, 200, 50])
    np.testing.assert_allclose(facts.overlap, [0.5, 0.5, 0])
    assert facts.objects.tolist() == [3, 3, 3]


def test_results_of_several_photographs_are_joined() -> None:
    one = object_results(
        [labelled(BOXES[0])],
        prompts=Prompts(boxes_xyxy=np.array(BOXES, dtype=np.float32)),
        raw=masks(*BOXES),
        kept=masks(*BOXES),
    )
    assert ObjectResults.concatenate([one, one]).iou.tolist() == [1, 1]


def test_mean_recall_is_the_mean_over_coco_s_thresholds() -> None:
    assert mean_recall(np.array([1.0, 0.0], dtype=np.float32)) == pytest.approx(0.5)
    assert mean_recall(np.array([0.74], dtype=np.float32)) == pytest.approx(0.5)  # .50 to .70
    assert np.isnan(mean_recall(np.zeros(0, dtype=np.float32)))
