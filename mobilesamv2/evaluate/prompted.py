"""How well masks answer true boxes and points: the model's, and those of baselines that only see the box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from ..images import load_image
from ..ops.rle import decode_rle
from ..segmenter import Segmenter
from ..types import Bools, Floats, Masks, Picture, Rle
from .baselines import filled_box, filled_ellipse
from .datasets import DatasetError, Photograph


@dataclass(frozen=True, eq=False)
class PromptedIou:
    """IoU of each object's mask with what was answered to it, float32 (N,) each, objects in order.

    Args:
        box: the model's answer to the tightest box around the object.
        point: the best of the model's three answers to the object's innermost point.
        filled_ellipse: the ellipse in the same box.
        filled_box: the same box itself.
    """

    box: Floats
    point: Floats
    filled_ellipse: Floats
    filled_box: Floats

    def __len__(self) -> int:
        return len(self.box)


def prompted_iou(
    segmenter: Segmenter, photographs: Iterable[Photograph], *, longest_side: int | None = None
) -> PromptedIou:
    """Ask `segmenter` for every object by its true box and by one true point.

    Args:
        longest_side: pixels to which the longer side of every picture is resized before the model sees it, to find
            out whether size matters; its answers are brought back to the size of the annotations. None: as they are.

    Raises:
        DatasetError: if a picture does not have the size its annotations are for.
        InvalidImageError: if a picture cannot be read.
    """
    parts: list[tuple[Floats, ...]] = []
    for photograph in photographs:
        picture = load_image(photograph.path)
        if picture.shape[:2] != photograph.size_hw:
            raise DatasetError(
                f"{photograph.path} is {picture.shape[1]} x {picture.shape[0]} pixels; "
                f"its annotations are for {photograph.size_hw[1]} x {photograph.size_hw[0]}."
            )
        rles, boxes = photograph.rles, photograph.boxes_xyxy
        if not rles:
            continue
        points = np.stack([innermost_point(rle) for rle in rles])[:, None]
        if longest_side is not None:
            picture = _resized(picture, longest_side)
        scale = np.array(picture.shape[1::-1], dtype=np.float32) / photograph.size_hw[::-1]
        embedding = segmenter.encode(picture)
        by_box = _at_size(segmenter.predict(embedding, boxes=boxes * np.tile(scale, 2)), photograph.size_hw)
        by_point = _at_size(
            segmenter.predict(
                embedding,
                points=(points + 0.5) * scale - 0.5,  # pixel centres are whole numbers
                labels=np.ones(points.shape[:2], dtype=np.int64),
                multimask=True,
            ),
            photograph.size_hw,
        )
        parts.append(
            (
                pairwise_iou(rles, by_box.rles),
                best_iou_per_prompt(rles, by_point),
                _baseline_iou(photograph, filled_ellipse),
                _baseline_iou(photograph, filled_box),
            )
        )
    if not parts:
        nothing = np.zeros(0, dtype=np.float32)
        return PromptedIou(nothing, nothing, nothing, nothing)
    return PromptedIou(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def pairwise_iou(first: Sequence[Rle], second: Sequence[Rle]) -> Floats:
    """IoU of each mask of `first` with the one at the same place of `second`: float32 (N,).

    Two empty masks have 0.

    Raises:
        ValueError: if they are not equally many.
    """
    values = [
        float(coco_mask.iou([a], [b], [False])[0, 0]) if coco_mask.area([a, b]).any() else 0.0
        for a, b in zip(first, second, strict=True)
    ]
    return np.asarray(values, dtype=np.float32)


def best_iou_per_prompt(truth: Sequence[Rle], answers: Masks) -> Floats:
    """The best IoU among the answers to each prompt: float32 (N,). Prompt i asks for mask i of `truth`."""
    best = np.zeros(len(truth), dtype=np.float32)
    wanted = [truth[index] for index in answers.prompt_index]
    np.maximum.at(best, answers.prompt_index, pairwise_iou(wanted, answers.rles))
    return best


def innermost_point(rle: Rle) -> Floats:
    """A pixel of the mask that is as far as can be from leaving it straight up, down, left or right.

    Returns:
        float32 (2,), x before y.
    """
    x, y, width, height = (int(edge) for edge in coco_mask.toBbox(rle))
    window: Bools = coco_mask.decode(rle)[y : y + height, x : x + width].astype(np.bool_)
    # The picture's edge counts as leaving the mask too.
    padded: Bools = np.pad(window, 1)
    steps = np.minimum(_steps_to_background(padded), _steps_to_background(padded.T).T)
    row, column = np.unravel_index(int(steps.argmax()), steps.shape)
    return np.array([x + column - 1, y + row - 1], dtype=np.float32)


def _steps_to_background(mask: Bools) -> Floats:
    """For each pixel, along its row, the steps to the nearer end of the run it is in; 0 outside the mask."""
    columns = np.arange(mask.shape[1])
    last = np.maximum.accumulate(np.where(mask, -1, columns), axis=1)
    following = np.where(mask, mask.shape[1], columns)[:, ::-1]
    next_one = np.minimum.accumulate(following, axis=1)[:, ::-1]
    return np.minimum(columns - last, next_one - columns).astype(np.float32)


def _resized(picture: Picture, longest_side: int) -> Picture:
    height, width = picture.shape[:2]
    scale = longest_side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def _at_size(masks: Masks, size_hw: tuple[int, int]) -> Masks:
    """The same masks for a picture of another size; their boxes and scores stay as they are."""
    if masks.size_hw == size_hw:
        return masks
    rles = []
    for rle in masks.rles:
        whole = Image.fromarray(decode_rle(rle).view(np.uint8) * np.uint8(255))
        resized = np.asarray(whole.resize(size_hw[::-1], Image.Resampling.BILINEAR))
        rles.append(coco_mask.encode(np.asfortranarray(resized > 127, dtype=np.uint8)))
    return replace(masks, size_hw=size_hw, rles=tuple(rles))


def _baseline_iou(photograph: Photograph, baseline: Callable[..., Rle]) -> Floats:
    answers = [baseline(box, size_hw=photograph.size_hw) for box in photograph.boxes_xyxy]
    return pairwise_iou(photograph.rles, answers)
