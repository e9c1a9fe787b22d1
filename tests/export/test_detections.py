"""To and from `supervision.Detections`."""

from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.export import from_supervision, to_supervision
from mobilesamv2.types import Masks
from tests.tiny import picture, tiny_segmenter

from .examples import boxes_as_masks

supervision = pytest.importorskip("supervision")


def test_masks_survive_the_way_through_supervision() -> None:
    masks = tiny_segmenter().segment_everything(picture()).masks
    detections = to_supervision(masks)
    assert len(detections) == len(masks) > 0
    assert (detections.area == masks.areas).all()
    back = from_supervision(detections)
    assert back.rles == masks.rles
    for name in ("scores", "boxes_xyxy", "predicted_iou", "stability", "detector_scores", "prompt_index"):
        np.testing.assert_array_equal(getattr(back, name), getattr(masks, name))


def test_supervisions_own_filters_work_on_them() -> None:
    masks = boxes_as_masks([(0, 0, 10, 10), (20, 0, 50, 30), (21, 1, 50, 30)], (40, 60), scores=0.5)
    detections = to_supervision(masks)
    large = from_supervision(detections[detections.area > 500])
    assert large.rles == masks.rles[1:]
    assert large.prompt_index.tolist() == [1, 2]
    apart = from_supervision(detections.with_nms(threshold=0.5))
    assert len(apart) == 2


def test_detections_of_other_programs_are_masks_too() -> None:
    dense = np.zeros((2, 8, 9), dtype=np.bool_)
    dense[0, 2:4, 3:7] = True
    masks = from_supervision(supervision.Detections(xyxy=np.array([[0, 0, 9, 8], [0, 0, 1, 1]]), mask=dense))
    assert masks.boxes_xyxy.tolist() == [[3, 2, 7, 4], [0, 0, 0, 0]]
    assert masks.areas.tolist() == [8, 0]
    assert np.isnan(masks.scores).all()


def test_no_detections_are_no_masks() -> None:
    assert len(to_supervision(Masks.empty((4, 6)))) == 0
    assert from_supervision(supervision.Detections.empty(), (4, 6)).size_hw == (4, 6)
    assert from_supervision(to_supervision(Masks.empty((4, 6)))).size_hw == (4, 6)
    few = to_supervision(boxes_as_masks([(0, 0, 2, 2)], (4, 6), scores=0.5))
    none_left = from_supervision(few[few.area > 100])
    assert (len(none_left), none_left.size_hw) == (0, (4, 6))
    with pytest.raises(ValueError, match="give size_hw"):
        from_supervision(supervision.Detections.empty())


def test_boxes_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="ask the model about their boxes"):
        from_supervision(supervision.Detections(xyxy=np.array([[0, 0, 2, 2]], dtype=np.float32)))
