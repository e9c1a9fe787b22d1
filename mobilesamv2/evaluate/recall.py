"""Average recall as COCO defines it (AR@K), of masks and of boxes, without classes; matching is pycocotools'.

Each picture is matched by itself and leaves counts, which add up to the figures of `COCOeval` with `useCats = 0` over
all pictures: so a run can be stopped, continued and spread over processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from ..types import Floats, Ints, Rle
from .datasets import LabelledObject

MAX_MASKS = (1, 10, 100, 1000)
"""The K of AR@K, rising."""
IOU_THRESHOLDS: npt.NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
"""COCO's: .50, .55 ... .95."""
SIZES: dict[str, tuple[float, float]] = {
    "all": (0, 1e10),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, 1e10),
}
"""COCO's sizes of objects, in pixels of the picture, both ends included."""
GROUPS = (*SIZES, "rare", "common", "frequent")
"""What recall is told for: by size, and for LVIS by how frequent the category is."""


@dataclass(frozen=True, eq=False)
class Found:
    """Which objects of some pictures were found.

    Args:
        objects: how many there are, crowds left out.
        matched: int64 (K, T), how many of them the best `MAX_MASKS[k]` answers of each picture find at threshold T.
    """

    objects: int
    matched: Ints

    def __add__(self, other: Found) -> Found:
        return Found(self.objects + other.objects, self.matched + other.matched)

    def average_recall(self) -> dict[str, float | None]:
        """AR@K by K, 0 to 1; None where there are no objects."""
        means = self.matched.mean(axis=1) / self.objects if self.objects else [None] * len(MAX_MASKS)
        return {str(k): None if mean is None else float(mean) for k, mean in zip(MAX_MASKS, means, strict=True)}

    @classmethod
    def nothing(cls) -> Found:
        """Of no pictures."""
        return cls(0, np.zeros((len(MAX_MASKS), len(IOU_THRESHOLDS)), dtype=np.int64))

    def to_json(self) -> dict[str, Any]:
        return {"objects": self.objects, "matched": self.matched.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Found:
        return cls(int(value["objects"]), np.asarray(value["matched"], dtype=np.int64))


def find(
    kind: Literal["segm", "bbox"],
    truth: Sequence[LabelledObject],
    answers: Sequence[Rle] | Floats,
    scores: Floats,
) -> dict[str, Found]:
    """Match the answers for one picture with its objects, as COCOeval does.

    Args:
        kind: whether masks or boxes are compared.
        truth: the objects, crowds included.
        answers: N masks as run lengths, or N boxes float32 (N, 4), x0 y0 x1 y1.
        scores: (N,), what the best are chosen by; equal ones keep their order.

    Returns:
        By the names of `GROUPS`; groups of LVIS only where an object has a frequency.
    """
    evaluation = COCOeval(iouType=kind)
    parameters = evaluation.params
    parameters.useCats, parameters.imgIds, parameters.catIds = 0, [1], [1]
    parameters.iouThrs, parameters.maxDets = IOU_THRESHOLDS, list(MAX_MASKS)
    objects = [
        {
            "id": index,
            "bbox": list(each.box_xywh),
            "segmentation": each.rle,
            "area": each.area,
            "iscrowd": int(each.is_crowd),
            "ignore": int(each.is_crowd),
        }
        for index, each in enumerate(truth, start=1)
    ]
    evaluation._gts[1, 1] = objects
    evaluation._dts[1, 1] = [
        {"id": index, "score": float(score)} | _answer(kind, answer)
        for index, (answer, score) in enumerate(zip(answers, scores, strict=True), start=1)
    ]
    evaluation.ious = {(1, -1): evaluation.computeIoU(1, -1)}
    found = {name: _count(evaluation, sizes) for name, sizes in SIZES.items()}
    for name in GROUPS[len(SIZES) :]:
        if not any(each.frequency == name for each in truth):
            continue
        for entry, each in zip(objects, truth, strict=True):
            entry["ignore"] = int(each.is_crowd or each.frequency != name)
        found[name] = _count(evaluation, SIZES["all"])
    return found


def _answer(kind: str, answer: Rle | Floats) -> dict[str, Any]:
    if kind == "segm":
        return {"segmentation": answer, "area": 0}  # the area only matters to precision
    x0, y0, x1, y1 = (float(edge) for edge in answer)
    return {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}


def _count(evaluation: COCOeval, sizes: tuple[float, float]) -> Found:
    found = evaluation.evaluateImg(1, -1, list(sizes), MAX_MASKS[-1])
    if found is None:  # neither objects nor answers
        return Found.nothing()
    right = (found["dtMatches"] > 0) & ~found["dtIgnore"].astype(np.bool_)  # (T, N)
    matched = np.stack([right[:, :k].sum(axis=1) for k in MAX_MASKS]).astype(np.int64)
    return Found(int((np.asarray(found["gtIgnore"]) == 0).sum()), matched)


def total(pictures: Iterable[Mapping[str, Found]]) -> dict[str, Found]:
    """Add up the counts of all pictures, group by group."""
    sums: dict[str, Found] = {name: Found.nothing() for name in SIZES}
    for picture in pictures:
        for name, found in picture.items():
            sums[name] = sums.get(name, Found.nothing()) + found
    return sums
