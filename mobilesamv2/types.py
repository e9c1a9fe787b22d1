"""Prompts and masks, the values that all other modules exchange. They know nothing of models or devices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from .arrays import Bools, Floats, Ints, Picture, Rle
from .errors import PromptError
from .ops.rle import decode_rle
from .ops.runs import painted, runs_of

__all__ = ["Bools", "Floats", "Ints", "Masks", "Picture", "Prompts", "Rle"]


@dataclass(frozen=True, eq=False)
class Prompts:
    """N questions to the mask decoder, in pixels of the original picture.

    Args:
        points: float32 (N, P, 2), x before y, or None. Pixel centres are at integers, as in SAM.
        labels: int64 (N, P): 1 foreground, 0 background, -1 padding; required with `points`.
        boxes_xyxy: float32 (N, 4), x0 y0 x1 y1, or None. A row of NaN is a prompt of points alone among prompts with a
            box, as `concatenate` makes them; a decoder takes one kind at a time.
        scores: float32 (N,), how sure the sampler is of each prompt, or None where it cannot know.
        multimask: ask for three masks per prompt (whole, part, subpart) instead of one; of several kinds, whether any
            of them asked for three.

    Raises:
        PromptError: if shapes do not fit each other, or neither points nor boxes are given.
    """

    points: Floats | None = None
    labels: Ints | None = None
    boxes_xyxy: Floats | None = None
    scores: Floats | None = None
    multimask: bool = False

    def __post_init__(self) -> None:
        if self.points is None and self.boxes_xyxy is None:
            raise PromptError("Prompts need points, boxes or both; got neither.")
        if (self.points is None) != (self.labels is None):
            raise PromptError("Points and labels come together: one label (1 foreground, 0 background) per point.")
        if self.points is not None and self.labels is not None:
            if self.points.ndim != 3 or self.points.shape[2] != 2:
                raise PromptError(f"Points must have the shape (N, P, 2); got {self.points.shape}.")
            if self.labels.shape != self.points.shape[:2]:
                expected = self.points.shape[:2]
                raise PromptError(f"Labels must have the shape {expected}, one per point; got {self.labels.shape}.")
        if self.boxes_xyxy is not None and (self.boxes_xyxy.ndim != 2 or self.boxes_xyxy.shape[1] != 4):
            raise PromptError(f"Boxes must have the shape (N, 4); got {self.boxes_xyxy.shape}.")
        lengths = {len(part) for part in (self.points, self.boxes_xyxy, self.scores) if part is not None}
        if len(lengths) > 1:
            raise PromptError(f"Points, boxes and scores must be equally many; got {sorted(lengths)}.")
        boxes = self.boxes_xyxy
        if boxes is not None and self.labels is not None:
            boxes = boxes[~(np.isnan(boxes).all(axis=1) & (self.labels >= 0).any(axis=1))]
        for name, part in (("Points", self.points), ("Boxes", boxes)):
            if part is not None and not np.isfinite(part).all():
                raise PromptError(f"{name} must be finite numbers; got NaN or infinity.")

    def __len__(self) -> int:
        part = self.points if self.points is not None else self.boxes_xyxy
        assert part is not None  # held by __post_init__
        return len(part)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> Prompts:
        """The prompts that a slice, an index array or a bool array selects."""
        return dataclasses.replace(
            self,
            points=None if self.points is None else self.points[index],
            labels=None if self.labels is None else self.labels[index],
            boxes_xyxy=None if self.boxes_xyxy is None else self.boxes_xyxy[index],
            scores=None if self.scores is None else self.scores[index],
        )

    @property
    def has_box(self) -> Bools:
        """Which prompts have a box: bool (N,)."""
        if self.boxes_xyxy is None:
            return np.zeros(len(self), dtype=np.bool_)
        found: Bools = ~np.isnan(self.boxes_xyxy[:, 0])
        return found

    @property
    def is_mixed(self) -> bool:
        """Whether some have a box and some have none."""
        return bool(self.has_box.any() and not self.has_box.all())

    def to_list(self) -> list[dict[str, Any]]:
        """One record for each prompt, ready for `json.dumps`.

        Each has `box` (x0, y0, x1, y1 in pixels), `points` (x, y, label each, without padding) and `score`; what a
        prompt has not is None.
        """
        points: list[Any] = [None] * len(self)
        if self.points is not None and self.labels is not None:
            points = [
                [[*xy, label] for xy, label in zip(places, labels, strict=True) if label >= 0]
                for places, labels in zip(self.points.tolist(), self.labels.tolist(), strict=True)
            ]
        boxes = [None] * len(self) if self.boxes_xyxy is None else self.boxes_xyxy.tolist()
        scores = [None] * len(self) if self.scores is None else self.scores.tolist()
        rows = zip(boxes, self.has_box, points, scores, strict=True)
        return [
            {
                "box": box if has_box else None,
                "points": of_one or None,
                "score": None if score is None or np.isnan(score) else score,
            }
            for box, has_box, of_one, score in rows
        ]

    @classmethod
    def concatenate(cls, parts: Sequence[Prompts]) -> Prompts:
        """All prompts of `parts` in order, of whatever kind: points are padded, a box or a score that is not there is
        NaN. Parts of no prompts only count where there are no others."""
        if not parts:
            raise PromptError("There is nothing to concatenate: give at least one Prompts.")
        parts = [part for part in parts if len(part)] or parts[:1]
        stops = np.cumsum([len(part) for part in parts])
        longest = max(0 if part.points is None else part.points.shape[1] for part in parts)

        def joined(name: str, missing: float, dtype: npt.DTypeLike, *shape: int) -> Any:
            values = [getattr(part, name) for part in parts]
            if all(value is None for value in values):
                return None
            rows = np.full((stops[-1], *shape), missing, dtype=dtype)
            for stop, value in zip(stops, values, strict=True):
                if value is not None:
                    own = rows[stop - len(value) : stop]
                    (own[:, : value.shape[1]] if shape else own)[:] = value
            return rows

        return cls(
            points=joined("points", 0, np.float32, longest, 2),
            labels=joined("labels", -1, np.int64, longest),
            boxes_xyxy=joined("boxes_xyxy", np.nan, np.float32, 4),
            scores=joined("scores", np.nan, np.float32),
            multimask=any(part.multimask for part in parts),
        )


def _nan_scores(count: int) -> Floats:
    return np.full(count, np.nan, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Masks:
    """N masks of one picture, kept compact: run lengths, never dense arrays.

    Args:
        size_hw: height and width of the picture.
        rles: N compressed COCO run lengths, all of `size_hw`.
        scores: float32 (N,), what masks are ranked by, higher is better. For a box it is the prompt's own score, which
            is the detector's confidence; for a point the predicted IoU, times the prompt's score where it has one.
        boxes_xyxy: float32 (N, 4), the tightest box around each mask, x1 and y1 one past the last pixel; an
            empty mask has 0 0 0 0.
        predicted_iou: float32 (N,), the decoder's own estimate of each mask's IoU, unclamped.
        stability: float32 (N,), area at a threshold raised by the offset over area at one lowered by it; NaN
            where the mask is empty at both.
        detector_scores: float32 (N,), confidence of the box that prompted it; NaN where a point did.
        prompt_index: int64 (N,), which prompt of the run each mask answers.
    """

    size_hw: tuple[int, int]
    rles: tuple[Rle, ...] = ()
    scores: Floats = field(default_factory=lambda: _nan_scores(0))
    boxes_xyxy: Floats = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    predicted_iou: Floats = field(default_factory=lambda: _nan_scores(0))
    stability: Floats = field(default_factory=lambda: _nan_scores(0))
    detector_scores: Floats = field(default_factory=lambda: _nan_scores(0))
    prompt_index: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        expected = len(self.rles)
        for name in ("scores", "boxes_xyxy", "predicted_iou", "stability", "detector_scores", "prompt_index"):
            found = len(getattr(self, name))
            if found != expected:
                raise ValueError(f"{name} must have one row per mask: expected {expected}, got {found}.")
        if self.boxes_xyxy.shape != (expected, 4):
            raise ValueError(f"boxes_xyxy must have the shape ({expected}, 4); got {self.boxes_xyxy.shape}.")
        for rle in self.rles:
            if tuple(rle["size"]) != tuple(self.size_hw):
                raise ValueError(f"A mask has the size {tuple(rle['size'])}; the picture has {self.size_hw}.")

    @classmethod
    def empty(cls, size_hw: tuple[int, int]) -> Masks:
        """No masks of a picture of that size."""
        return cls(size_hw=size_hw)

    def __len__(self) -> int:
        return len(self.rles)

    def __iter__(self) -> Iterator[Bools]:
        """Each mask as a dense bool array (H, W), one at a time."""
        return (self.dense_one(index) for index in range(len(self)))

    @property
    def areas(self) -> Ints:
        """int64 (N,), pixels in each mask."""
        # One at a time: pycocotools 2.0.11 overflows on a list of more than 255 masks under numpy 2.
        return np.array([int(coco_mask.area(rle)) for rle in self.rles], dtype=np.int64)

    @property
    def coverage(self) -> float:
        """Share of the picture's pixels that lie in at least one mask, 0 to 1; 0 for no masks."""
        height, width = self.size_hw
        union = coco_mask.merge(list(self.rles)) if self.rles else None
        return 0.0 if union is None else int(coco_mask.area(union)) / max(1, height * width)

    def union(self) -> Bools:
        """The pixels that lie in at least one mask, bool (H, W)."""
        if not self.rles:
            return np.zeros(self.size_hw, dtype=np.bool_)
        return decode_rle(coco_mask.merge(list(self.rles)))

    def uncovered(self) -> Bools:
        """What no mask covers: bool (H, W)."""
        return ~self.union()

    def select(self, index: slice | Sequence[int] | npt.NDArray[Any]) -> Masks:
        """The masks that a slice, indices or a bool array name, in that order."""
        if not isinstance(index, slice):
            # numpy takes [] for floating-point numbers and a tuple for one index per axis.
            index = np.asarray(index) if len(index) else np.zeros(0, dtype=np.int64)
        rows = np.arange(len(self))[index]
        return dataclasses.replace(
            self,
            rles=tuple(self.rles[row] for row in rows),
            scores=self.scores[rows],
            boxes_xyxy=self.boxes_xyxy[rows],
            predicted_iou=self.predicted_iou[rows],
            stability=self.stability[rows],
            detector_scores=self.detector_scores[rows],
            prompt_index=self.prompt_index[rows],
        )

    def sorted_by_score(self) -> Masks:
        """The same masks, best first; equal scores keep their order."""
        return self.select(np.argsort(-self.scores, kind="stable"))

    @classmethod
    def concatenate(cls, parts: Sequence[Masks]) -> Masks:
        """All masks of `parts` in order; the parts must be of one picture."""
        if not parts:
            raise ValueError("There is nothing to concatenate: give at least one Masks.")
        sizes = {tuple(part.size_hw) for part in parts}
        if len(sizes) > 1:
            raise ValueError(f"Masks of one picture have one size; got {sorted(sizes)}.")
        return cls(
            size_hw=parts[0].size_hw,
            rles=tuple(rle for part in parts for rle in part.rles),
            scores=np.concatenate([part.scores for part in parts]),
            boxes_xyxy=np.concatenate([part.boxes_xyxy for part in parts]),
            predicted_iou=np.concatenate([part.predicted_iou for part in parts]),
            stability=np.concatenate([part.stability for part in parts]),
            detector_scores=np.concatenate([part.detector_scores for part in parts]),
            prompt_index=np.concatenate([part.prompt_index for part in parts]),
        )

    def dense_one(self, index: int) -> Bools:
        """Mask `index` as a bool array (H, W)."""
        return decode_rle(self.rles[index])

    def window(self, index: int) -> Bools:
        """Mask `index` inside its box, bool (y1 - y0, x1 - x0): far cheaper than the whole picture."""
        x0, y0, x1, y1 = (int(edge) for edge in self.boxes_xyxy[index])
        return decode_rle(self.rles[index], (x0, y0, x1, y1))

    def dense(self) -> Bools:
        """All masks as one bool array (N, H, W). Mind the memory: 300 masks of 12 megapixels are 3.6 GB."""
        out = np.zeros((len(self), *self.size_hw), dtype=np.bool_)
        for index in range(len(self)):
            out[index] = self.dense_one(index)
        return out

    def label_map(self, dtype: type[np.integer] = np.int32) -> npt.NDArray[Any]:
        """Give each pixel to one mask: integers (H, W), 0 for none, i + 1 for mask i.

        Larger masks are painted first, so that a part stays visible on the whole it lies on; of equally large
        ones the better ranked is on top.

        Args:
            dtype: of the numbers; it must hold as many as there are masks.
        """
        order = self.painting_order()
        layers = [runs_of(self.rles[index]) for index in order]
        values = [index + 1 for index in order]
        return painted(layers, values, size_hw=self.size_hw, background=0, dtype=dtype)

    def painting_order(self) -> list[int]:
        """Larger masks first, so that parts lie on wholes; of equally large ones the best ranked last."""
        areas = self.areas
        return sorted(range(len(self)), key=lambda index: (-int(areas[index]), -index))

    def to_coco(self) -> list[dict[str, Any]]:
        """Masks as COCO result records, ready for `json.dumps`.

        Each has `segmentation` (compressed RLE, counts as text), `bbox` (x, y, width, height in pixels),
        `area`, `score`, `predicted_iou`, `stability_score`, `detector_score` and `prompt_index`; a number
        that is not known or not finite is None, for which JSON has a word.
        """

        def number(value: np.float32) -> float | None:
            return float(value) if np.isfinite(value) else None

        return [
            {
                "segmentation": {
                    "size": [int(side) for side in rle["size"]],
                    "counts": rle["counts"].decode("ascii"),
                },
                "bbox": [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])],
                "area": int(area),
                "score": number(self.scores[index]),
                "predicted_iou": number(self.predicted_iou[index]),
                "stability_score": number(self.stability[index]),
                "detector_score": number(self.detector_scores[index]),
                "prompt_index": int(self.prompt_index[index]),
            }
            for index, (rle, box, area) in enumerate(zip(self.rles, self.boxes_xyxy, self.areas, strict=True))
        ]
