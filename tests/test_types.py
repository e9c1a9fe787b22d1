"""The values that everything else speaks."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from mobilesamv2.types import Masks


def test_areas_of_hundreds_of_masks_are_counted() -> None:
    rle = coco_mask.encode(np.asfortranarray(np.eye(5, dtype=np.uint8)))
    count = 320
    unknown = np.full(count, np.nan, dtype=np.float32)
    masks = Masks(
        size_hw=(5, 5),
        rles=(rle,) * count,
        scores=unknown,
        boxes_xyxy=np.tile(np.array([0, 0, 5, 5], dtype=np.float32), (count, 1)),
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=np.arange(count),
    )
    assert masks.areas.tolist() == [5] * count
