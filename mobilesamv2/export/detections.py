"""To and from `supervision.Detections`, which is installed with the extra `supervision`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..ops.rle import encode_window
from ..types import Floats, Masks

if TYPE_CHECKING:
    from supervision import Detections

_SCORES = ("predicted_iou", "stability", "detector_scores")


def to_supervision(masks: Masks) -> Detections:
    """The masks as supervision takes them, in their order.

    Mind the memory: supervision keeps masks dense, one byte for each pixel of the picture. Scores are `confidence`, 0
    where they are not known; every `class_id` is 0; `predicted_iou`, `stability`, `detector_scores` and `prompt_index`
    are in `data`.

    Raises:
        ImportError: if supervision is not installed.
    """
    from supervision import Detections

    return Detections(
        xyxy=masks.boxes_xyxy.copy(),
        mask=masks.dense(),
        confidence=np.nan_to_num(masks.scores, nan=0.0),
        class_id=np.zeros(len(masks), dtype=np.int64),
        data={name: getattr(masks, name) for name in (*_SCORES, "prompt_index")},
    )


def from_supervision(detections: Detections, size_hw: tuple[int, int] | None = None) -> Masks:
    """Masks that are supervision's, in their order; their boxes are made anew, the tightest around each mask.

    Args:
        detections: with masks. What `to_supervision` put into `data` comes back; without it scores are not known
            (NaN), and `prompt_index` counts from 0.
        size_hw: of the picture, for detections without masks, which do not tell it.

    Raises:
        ValueError: if there are boxes without masks, or no masks and no `size_hw`.
    """
    if detections.mask is None and len(detections):
        raise ValueError(
            "These detections have boxes and no masks; ask the model about their boxes instead (`predict`)."
        )
    if detections.mask is None:
        if size_hw is None:
            raise ValueError("Without masks the picture's size is not known; give size_hw.")
        return Masks.empty(size_hw)
    count = len(detections)
    height, width = (int(side) for side in detections.mask.shape[1:])

    def known(name: str) -> Floats:
        return np.asarray(detections.data.get(name, np.full(count, np.nan)), dtype=np.float32)

    rles, boxes = [], np.zeros((count, 4), dtype=np.float32)
    for index in range(count):
        mask = np.asarray(detections.mask[index], dtype=np.bool_)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(rows):
            boxes[index] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        rles.append(encode_window(mask, origin_yx=(0, 0), size_hw=(height, width)))
    scores = np.full(count, np.nan) if detections.confidence is None else detections.confidence
    return Masks(
        size_hw=(height, width),
        rles=tuple(rles),
        scores=np.asarray(scores, dtype=np.float32),
        boxes_xyxy=boxes,
        **{name: known(name) for name in _SCORES},
        prompt_index=np.asarray(detections.data.get("prompt_index", np.arange(count)), dtype=np.int64),
    )
