"""Arithmetic of boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pycocotools import mask as coco_mask

from mobilesamv2.ops.boxes import box_iou, inclusive_boxes, voted_boxes

PARITY = Path(__file__).parents[1] / "parity" / "mask_utilities.npz"


def test_iou_of_boxes_is_that_of_pycocotools() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 50, (2, 20, 2, 2))
    boxes = np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=2)
    as_xywh = boxes.copy()
    as_xywh[..., 2:] -= as_xywh[..., :2]
    expected = coco_mask.iou(as_xywh[0], as_xywh[1], [0] * 20)
    np.testing.assert_allclose(box_iou(*torch.from_numpy(boxes)).numpy(), expected, atol=1e-12)


def test_a_kept_box_becomes_the_mean_of_the_boxes_that_nearly_equal_it() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 5], [40, 40, 50, 50.0]])
    scores = torch.tensor([0.9, 0.5, 0.8, 0.7])
    found = voted_boxes(boxes, scores, torch.tensor([0, 3]), iou=0.8)
    bottom = (10 * 0.9 + 9 * 0.5 * 0.9) / (0.9 + 0.5 * 0.9)  # the second weighs its score times its IoU, .9
    torch.testing.assert_close(found, torch.tensor([[0, 0, 10, bottom], [40, 40, 50, 50.0]]))
    torch.testing.assert_close(voted_boxes(boxes, scores, torch.tensor([0, 3]), iou=1.0), boxes[[0, 3]])


def test_a_box_that_is_no_number_spoils_no_other() -> None:
    boxes = torch.tensor([[0, 0, 10, 10], [float("nan"), 0, 10, 10]])
    found = voted_boxes(boxes, torch.tensor([0.9, 0.8]), torch.tensor([0]), iou=0.8)
    torch.testing.assert_close(found, boxes[:1])


def test_boxes_without_area_and_no_boxes_are_voted_for_too() -> None:
    point = torch.tensor([[3, 3, 3, 3.0]])
    torch.testing.assert_close(voted_boxes(point, torch.ones(1), torch.tensor([0]), iou=0.8), point)
    assert voted_boxes(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64), iou=0.8).shape == (0, 4)


def test_boxes_without_area_have_no_overlap() -> None:
    point = torch.tensor([[3, 3, 3, 3.0]])
    assert box_iou(point, point).item() == 0


def test_iou_of_no_boxes_is_an_empty_table() -> None:
    assert box_iou(torch.zeros(0, 4), torch.zeros(5, 4)).shape == (0, 5)


def test_inclusive_boxes_name_the_last_pixel_as_recorded() -> None:
    recorded = np.load(PARITY)
    for masks, expected in (
        (recorded["logits"] > 0, "mask_boxes"),
        (recorded["tiny_masks"], "tiny_mask_boxes"),
    ):
        rles = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
        boxes = coco_mask.toBbox(rles)
        boxes[:, 2:] += boxes[:, :2]
        found = inclusive_boxes(boxes.astype(np.float32))
        np.testing.assert_array_equal(found, recorded[expected])
        assert found.dtype == np.float32


def test_inclusive_boxes_of_no_boxes_are_no_boxes() -> None:
    assert inclusive_boxes(np.zeros((0, 4), dtype=np.float32)).shape == (0, 4)
