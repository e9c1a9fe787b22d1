"""Non-maximum suppression against a plain version that compares every pair."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from mobilesamv2.ops.nms import nms

Box = tuple[int, int, int, int]
SIDES = st.integers(0, 6)  # few values: ties, equal boxes and boxes without area are common
BOXES = st.lists(st.tuples(SIDES, SIDES, SIDES, SIDES, st.integers(0, 3)), max_size=14)
THRESHOLDS = st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0])


def iou(first: Box, second: Box) -> float | None:
    """Intersection over union; None for two boxes without area."""
    width = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    height = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    union = sum(areas) - width * height
    return width * height / union if union else None


def plain_nms(boxes: list[Box], scores: list[int], threshold: float) -> list[int]:
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        overlaps = [iou(boxes[index], boxes[other]) for other in kept]
        if all(overlap is None or overlap <= threshold for overlap in overlaps):
            kept.append(index)
    return kept


@given(BOXES, THRESHOLDS)
def test_the_same_boxes_stay_in_the_same_order_as_in_the_plain_version(
    drawn: list[tuple[int, int, int, int, int]], threshold: float
) -> None:
    boxes: list[Box] = [(x, y, x + width, y + height) for x, y, width, height, _ in drawn]
    scores = [score for *_, score in drawn]
    tensor = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
    kept = nms(tensor, torch.tensor(scores, dtype=torch.float64), threshold)
    assert kept.tolist() == plain_nms(boxes, scores, threshold)
