"""Non-maximum suppression, against recorded values and in its corners."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mobilesamv2.ops.nms import nms

PARITY = Path(__file__).parents[1] / "parity" / "mask_utilities.npz"


@pytest.mark.parametrize(("boxes", "threshold"), [("nms", 0.3), ("nms", 0.5), ("nms", 0.7), ("nms_dup", 0.7)])
def test_the_same_boxes_are_kept_in_the_same_order_as_recorded(boxes: str, threshold: float) -> None:
    recorded = np.load(PARITY)
    kept = nms(torch.from_numpy(recorded[f"{boxes}_boxes"]), torch.from_numpy(recorded[f"{boxes}_scores"]), threshold)
    np.testing.assert_array_equal(kept.numpy(), recorded[f"{boxes}_keep_{threshold}"])


def test_no_boxes_give_no_indices() -> None:
    kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert kept.shape == (0,)
    assert kept.dtype == torch.int64


def test_equal_scores_keep_the_order_of_the_input() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [20, 0, 30, 10], [0, 0, 10, 10], [40, 0, 50, 10.0]])
    assert nms(boxes, torch.ones(4), 0.5).tolist() == [0, 1, 3]


@pytest.mark.parametrize(("threshold", "kept"), [(0.4999, [0]), (0.5, [0, 1])])
def test_an_overlap_of_exactly_the_threshold_stays(threshold: float, kept: list[int]) -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 5.0]])
    assert nms(boxes, torch.tensor([0.9, 0.8]), threshold).tolist() == kept


def test_boxes_without_area_never_remove_each_other() -> None:
    boxes = torch.tensor([[5, 5, 5, 9.0]]).repeat(3, 1)
    assert nms(boxes, torch.tensor([0.1, 0.3, 0.2]), 0.0).tolist() == [1, 2, 0]


def test_kept_boxes_overlap_little_and_removed_ones_much() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(400, 2, generator=generator) * 100
    boxes = torch.cat([corners, corners + 5 + torch.rand(400, 2, generator=generator) * 40], dim=1)
    scores = torch.rand(400, generator=generator)
    kept = nms(boxes, scores, 0.4).tolist()

    def iou(one: int, other: int) -> float:
        a, b = boxes[one].tolist(), boxes[other].tolist()
        width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
        height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
        return float(width * height / (sum(areas) - width * height))

    assert 0 < len(kept) < 400
    assert all(iou(a, b) <= 0.4 for a in kept for b in kept if a != b)
    for removed in set(range(400)) - set(kept):
        assert any(scores[k] >= scores[removed] and iou(k, removed) > 0.4 for k in kept)


def test_half_precision_is_accepted() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9]], dtype=torch.bfloat16)
    assert nms(boxes, torch.tensor([0.5, 0.75], dtype=torch.float16), 0.7).tolist() == [1]


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, 4\)"):
        nms(torch.zeros(3, 4), torch.zeros(2), 0.5)
