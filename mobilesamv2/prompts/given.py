"""Prompts that people write down: lists, arrays and tensors, one box, one point per prompt, masks of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import PromptError
from ..geometry import ResizeLongestSide
from ..types import Floats, Ints, Prompts

_SURE = 10.0
"""Logit of a pixel of a mask that is given as yes or no."""


def prompts_from(
    *,
    boxes: npt.ArrayLike | None,
    points: npt.ArrayLike | None,
    labels: npt.ArrayLike | None,
    multimask: bool,
    size_hw: tuple[int, int],
) -> Prompts:
    """Make prompts of what a person gives for a picture. Boxes are clipped to the picture.

    Args:
        boxes: (N, 4) or (4,), x0 y0 x1 y1.
        points: (N, P, 2), or (N, 2) for one point per prompt.
        labels: (N, P), or (N,) for one point per prompt, 1 foreground, 0 background; left out, every point is
            foreground.
        multimask: ask for three masks per prompt.
        size_hw: height and width of the picture.

    Raises:
        PromptError: if they do not fit each other, or a point or a whole box lies outside the picture.
    """
    box_array = None if boxes is None else _numbers("boxes", boxes)
    if box_array is not None and box_array.size in (0, 4):
        box_array = box_array.reshape(-1, 4)
    point_array = None if points is None else _numbers("points", points)
    label_array: Ints | None = None
    if point_array is not None:
        given = None if labels is None else _numbers("labels", labels)
        if point_array.ndim == 1 and point_array.size == 0:
            point_array = point_array.reshape(0, 1, 2)
        elif point_array.ndim == 2:
            count = len(point_array)
            one_label_each = given is None or given.shape in ((count,), (1, count))
            may_be_one = given is not None if box_array is None else len(box_array) == 1
            if count > 1 and one_label_each and may_be_one:
                raise PromptError(
                    f"Points ({count}, 2) with labels ({count},) may be one object or {count}: give points "
                    f"(1, {count}, 2) with labels (1, {count}) for one, ({count}, 1, 2) with ({count}, 1) for each."
                )
            point_array = point_array[:, None]
        label_array = np.ones(point_array.shape[:2], dtype=np.int64)
        if given is not None:
            if not np.isin(given, (-1, 0, 1)).all():
                raise PromptError("Labels are 1 for foreground and 0 for background; got another number.")
            label_array = given.astype(np.int64)
            if label_array.size == 0 and 0 in point_array.shape[:2]:
                label_array = label_array.reshape(point_array.shape[:2])
            elif label_array.ndim == 1:
                label_array = label_array[None] if len(point_array) == 1 else label_array[:, None]
        if point_array.ndim == 3 and point_array.shape[1] == 0 and len(point_array):
            if box_array is None:
                raise PromptError("A prompt of points has at least one; got points of no prompt.")
            point_array = label_array = None  # no points beside the boxes
    elif labels is not None:
        raise PromptError("Labels describe points; give points too, or leave the labels out.")
    if box_array is not None and not np.isfinite(box_array).all():
        raise PromptError("Boxes must be finite numbers; got NaN or infinity.")
    prompts = Prompts(points=point_array, labels=label_array, boxes_xyxy=box_array, multimask=multimask)
    return _within(prompts, size_hw)


def _within(prompts: Prompts, size_hw: tuple[int, int]) -> Prompts:
    """The same prompts with boxes clipped to a picture of that size, in which all points must lie."""
    height, width = size_hw
    edges = np.array([width, height], dtype=np.float32)
    if prompts.points is not None and prompts.labels is not None:
        outside = ((prompts.points < -0.5) | (prompts.points > edges - 0.5)).any(axis=2) & (prompts.labels >= 0)
        if outside.any():
            x, y = prompts.points[outside][0]
            raise PromptError(f"The point {x:g}, {y:g} lies outside the picture of {width} x {height} pixels.")
    boxes = prompts.boxes_xyxy
    if boxes is None:
        return prompts
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise PromptError("Boxes are x0, y0, x1, y1 with x0 <= x1 and y0 <= y1; at least one is the other way round.")
    beyond = ((boxes[:, 2:] <= 0) | (boxes[:, :2] >= edges)).any(axis=1)
    if beyond.any():
        box = ", ".join(f"{edge:g}" for edge in boxes[beyond][0])
        raise PromptError(f"The box {box} lies outside the picture of {width} x {height} pixels.")
    clipped = np.clip(boxes, 0, np.tile(edges, 2))
    return Prompts(prompts.points, prompts.labels, clipped, prompts.scores, prompts.multimask)


def masks_from(given: npt.ArrayLike | Tensor, *, count: int, side: int, resize: ResizeLongestSide) -> Tensor:
    """Masks to refine, as a model takes them.

    Args:
        given: (N, h, w), (N, 1, h, w) or, for one prompt, (h, w): logits over the model's square input at any
            resolution, or logits or yes and no of the picture at its full size. Yes and no are
            bool, 0 and 1, or whole numbers that are 0 or one other (255).
        count: N.
        side: of the model's low-resolution masks.
        resize: how the picture lies in the model's input.

    Returns:
        float32 (N, 1, side, side).

    Raises:
        PromptError: if there is not one for each prompt, or they have another shape.
    """
    masks = _mask_tensor(given)
    if _is_yes_or_no(masks):
        masks = masks.bool().float().mul(2 * _SURE).sub(_SURE)
    masks = masks.to(torch.float32)
    if not masks.isfinite().all():
        raise PromptError("mask_inputs must be finite numbers; got NaN or infinity.")
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    size_hw = (masks.shape[-2], masks.shape[-1]) if masks.ndim == 3 else None
    if size_hw is None or (size_hw != resize.size_hw and size_hw[0] != size_hw[1]):
        raise PromptError(
            f"mask_inputs must be logits of the shape ({count}, {side}, {side}), or masks of the picture "
            f"({count}, {resize.size_hw[0]}, {resize.size_hw[1]}); got {tuple(masks.shape)}."
        )
    if len(masks) != count:
        raise PromptError(f"mask_inputs must be one per prompt: {count}; got {len(masks)}.")
    if size_hw == (side, side) or count == 0:
        return masks.reshape(count, 1, side, side)
    if size_hw != resize.size_hw:
        return F.interpolate(masks[:, None], (side, side), mode="bilinear", antialias=True)
    height, width = (max(1, round(edge * side / resize.input_side)) for edge in resize.resized_hw)
    square = masks.new_full((count, 1, side, side), -_SURE)
    square[:, :, :height, :width] = F.interpolate(masks[:, None], (height, width), mode="bilinear", antialias=True)
    return square


def _mask_tensor(given: npt.ArrayLike | Tensor) -> Tensor:
    """Masks in the type in which they were given, on their device."""
    if isinstance(given, Tensor):
        if given.layout != torch.strided or given.is_complex() or given.is_meta:
            raise PromptError(
                f"mask_inputs must hold plain real numbers; got {given.dtype} as {given.layout} on {given.device}."
            )
        return given.detach()
    try:
        array = np.asarray(_without_tensors(given))
    except ValueError:  # rows of different lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind in "iu":
        array = array.astype(np.int64)
    return torch.tensor(array if array.dtype.kind in "bif" else _numbers("mask_inputs", given), device="cpu")


def _is_yes_or_no(masks: Tensor) -> bool:
    if masks.dtype == torch.bool or masks.numel() == 0:
        return masks.dtype == torch.bool
    top = masks.max()
    return bool(top > 0 and (top == 1 or not masks.is_floating_point()) and ((masks == 0) | (masks == top)).all())


def _numbers(name: str, values: npt.ArrayLike | Tensor) -> Floats:
    try:
        array = np.asarray(_without_tensors(values))
        if array.dtype.kind != "c":
            with np.errstate(over="ignore"):  # what float32 does not hold is infinite, and refused as such
                return array.astype(np.float32)
    except (TypeError, ValueError, OverflowError):
        pass
    raise PromptError(f"{name} must be numbers in a regular array; got {' '.join(repr(values).split()):.80}.")


def _without_tensors(values: Any) -> Any:
    """Numbers with every tensor among them as an array: those that require grad and bfloat16 have none otherwise."""
    if isinstance(values, Tensor):
        has_numbers = values.layout == torch.strided and not values.is_meta
        return values.detach().cpu().float().numpy() if has_numbers else values
    return [_without_tensors(each) for each in values] if isinstance(values, (list, tuple)) else values
