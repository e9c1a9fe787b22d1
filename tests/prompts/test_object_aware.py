from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.prompts import ObjectAwareSampler
from mobilesamv2.types import Picture


class Spy:
    """Finds as many boxes as it was told to and remembers what it was asked."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: dict[str, float | None] = {}

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        self.asked = {"confidence": confidence, "iou": iou, "max_boxes": max_boxes}
        count = min(self.count, max_boxes)
        boxes = np.tile(np.array([1, 2, 3, 4], np.float32), (count, 1))
        return Detections(boxes_xyxy=boxes, scores=np.linspace(1, 0.5, count, dtype=np.float32))


PICTURE = np.zeros((8, 8, 3), np.uint8)


def test_each_box_is_one_prompt_for_one_mask_with_the_detectors_score() -> None:
    (prompts,) = ObjectAwareSampler(detector=Spy(5)).rounds(PICTURE)
    assert len(prompts) == 5
    assert prompts.points is None
    assert not prompts.multimask
    assert prompts.scores is not None
    assert prompts.scores[0] == 1


def test_the_published_confidence_the_detectors_own_suppression_and_the_papers_budget_are_the_defaults() -> None:
    spy = Spy(1)
    list(ObjectAwareSampler(detector=spy).rounds(PICTURE))
    assert spy.asked == {"confidence": 0.4, "iou": None, "max_boxes": 320}


def test_no_mask_filter_is_applied() -> None:
    filters = ObjectAwareSampler(detector=Spy(1)).filters
    assert filters.predicted_iou is filters.stability is filters.box_nms is None


def test_no_objects_are_an_empty_round() -> None:
    (prompts,) = ObjectAwareSampler(detector=Spy(0)).rounds(PICTURE)
    assert len(prompts) == 0


def test_a_budget_below_one_is_refused() -> None:
    with pytest.raises(PromptError, match="at least 1"):
        ObjectAwareSampler(detector=Spy(1), max_prompts=0)
