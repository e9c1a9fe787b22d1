"""Arithmetic of boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pycocotools import mask as coco_mask

from mobilesamv2.ops.boxes import box_iou, inclusive_boxes

PARITY = Path(__file__).parents[1] / "parity" / "mask_utilities.npz"


def test_iou_of_boxes_is_that_of_pycocotools() -> None:
    generator = np.random.default_rng(0)
    corners = generator.uniform(0, 50, (2, 20, 2, 2))
    boxes = np.concatenate([corners.min(axis=2), corners.max(axis=2)], axis=2)
    as_xywh = boxes.copy()
    as_xywh[..., 2:] -= as_xywh[..., :2]
    expected = coco_mask.iou(as_xywh[0], as_xywh[1], [0] * 20)
    np.testing.assert_allclose(box_iou(*torch.from_numpy(boxes)).numpy(), expected, atol=1e-12)


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
