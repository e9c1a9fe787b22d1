"""Results of a run for each labelled object: asked about or not, found, filtered away, and how well outlined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from pycocotools import mask as coco_mask

from ..ops.boxes import box_iou
from ..types import Bools, Floats, Ints, Masks, Prompts, Rle
from .boundary import boundary_iou
from .datasets import LabelledObject
from .recall import IOU_THRESHOLDS

FOUND_IOU = 0.5
"""From this IoU on, a mask finds an object and a box asks about it."""
FATES = ("found", "filtered away", "asked, but masked badly", "not asked")
"""What may become of an object; the first that fits."""


@dataclass(frozen=True, eq=False)
class ObjectFacts:
    """What the N objects of a photograph are like, crowds left out.

    Args:
        area: float32 (N,), in pixels, as annotated.
        overlap: float32 (N,), the largest IoU of the object's box with the box of another object; 0 for a single one.
        objects: int64 (N,), how many objects the photograph has: N each time.
    """

    area: Floats
    overlap: Floats
    objects: Ints


@dataclass(frozen=True, eq=False)
class ObjectResults:
    """What one run did for the N objects of a photograph, crowds left out.

    Args:
        iou: float32 (N,), of the best of the masks that were kept; 0 without masks.
        boundary_iou: float32 (N,), of that mask; 0 where no mask touches the object.
        raw_iou: float32 (N,), of the best of all masks that were decoded, before filters.
        asked: bool (N,), whether a box has an IoU of `FOUND_IOU` with the object's, or a point lies on its mask.
    """

    iou: Floats
    boundary_iou: Floats
    raw_iou: Floats
    asked: Bools

    @classmethod
    def concatenate(cls, parts: Sequence[ObjectResults]) -> ObjectResults:
        """The objects of several photographs, in order; at least one part."""
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def fates(self) -> list[str]:
        """What became of each object, in words of `FATES`."""
        found, raw = self.iou >= FOUND_IOU, self.raw_iou >= FOUND_IOU
        return [
            FATES[0] if kept else FATES[1] if decoded else FATES[2] if asked else FATES[3]
            for kept, decoded, asked in zip(found, raw, self.asked, strict=True)
        ]


def object_facts(objects: Sequence[LabelledObject]) -> ObjectFacts:
    """What the objects of one photograph are like."""
    single = [each for each in objects if not each.is_crowd]
    boxes = torch.tensor([each.box_xywh for each in single], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    overlaps = box_iou(boxes, boxes).fill_diagonal_(0).numpy()
    return ObjectFacts(
        area=np.array([each.area for each in single], dtype=np.float32),
        overlap=overlaps.max(axis=1, initial=0),
        objects=np.full(len(single), len(single), dtype=np.int64),
    )


def object_results(objects: Sequence[LabelledObject], *, prompts: Prompts, raw: Masks, kept: Masks) -> ObjectResults:
    """Compare a run with the objects of its photograph.

    An object takes the mask that fits it best, also where that mask fits another object too: unlike in AR@K, which
    pairs them off.

    Args:
        objects: those of the photograph.
        prompts: what was asked.
        raw: all masks that were decoded.
        kept: those that the filters left.
    """
    single = [each for each in objects if not each.is_crowd]
    rles = [each.rle for each in single]
    ious = mask_iou(rles, kept.rles)
    best = ious.argmax(axis=1) if len(kept) else np.zeros(len(rles), dtype=np.int64)
    iou = ious.max(axis=1, initial=0)
    outlines = [
        boundary_iou(rle, kept.rles[index]) if value > 0 else 0.0
        for rle, index, value in zip(rles, best, iou, strict=True)
    ]
    return ObjectResults(
        iou=iou,
        boundary_iou=np.array(outlines, dtype=np.float32),
        raw_iou=mask_iou(rles, raw.rles).max(axis=1, initial=0),
        asked=_asked(single, prompts),
    )


def mask_iou(first: Sequence[Rle], second: Sequence[Rle]) -> Floats:
    """IoU of each of N masks with each of M: float32 (N, M)."""
    if not first or not second:
        return np.zeros((len(first), len(second)), dtype=np.float32)
    return np.asarray(coco_mask.iou(list(first), list(second), [False] * len(second)), dtype=np.float32)


def mean_recall(ious: Floats) -> float:
    """Share of objects whose IoU reaches a threshold, averaged over COCO's .50, .55 ... .95; NaN for no objects."""
    if not len(ious):
        return float("nan")
    return float((ious[:, None] >= IOU_THRESHOLDS[None]).mean())


def _asked(objects: Sequence[LabelledObject], prompts: Prompts) -> Bools:
    asked: Bools = np.zeros(len(objects), dtype=np.bool_)
    if not objects or not len(prompts):
        return asked
    if prompts.boxes_xyxy is not None:
        boxes = torch.tensor([each.box_xywh for each in objects], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        asked |= box_iou(boxes, torch.from_numpy(prompts.boxes_xyxy)).amax(dim=1).numpy() >= FOUND_IOU
    if prompts.points is not None:
        columns, rows = np.round(prompts.points[:, 0]).astype(np.int64).T
        height, width = objects[0].rle["size"]
        columns, rows = columns.clip(0, width - 1), rows.clip(0, height - 1)
        asked |= np.array([coco_mask.decode(each.rle)[rows, columns].any() for each in objects])
    return asked
