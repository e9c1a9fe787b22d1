"""Training examples for promptable segmentation: a square crop of a photograph, prompts on it, and their masks.

Everything a step needs is drawn from one generator seeded by (seed, step), so a run can stop, resume and be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mobilesamv2.ops.rle import decode_rle

from .coco_data import LabelledPicture, read_picture
from .scenes import Scene, draw_scene

MASK_STRIDE = 2
"""Input pixels per mask pixel: the nano encoder's stride 8, upscaled four times by the decoder."""
MINIMUM_AREA = 12
"""Mask pixels an object must keep inside a crop to be asked for."""
SMALLEST_BOX = 12
"""Mask pixels along both sides of a box without a mask to be asked for: what is smaller teaches no outline."""
BOXES_ONLY = "coco-boxes"
"""The source most of whose objects have boxes but no masks."""

SCENES = "scenes"
"""Not photographs, but drawn (`scenes.py`): sharp masks without end."""

SOURCE_WEIGHTS = {
    "coco-panoptic": 0.18,
    "coco-instances": 0.27,
    "coco-boxes": 0.14,
    "facade": 0.03,
    "tree": 0.02,
    "bsds400": 0.12,
    "ccp": 0.05,
    "camvid": 0.03,
    "carparts": 0.02,
    "davis20": 0.03,
    SCENES: 0.11,
}
"""How often each source is drawn, drawn scenes among them. Facades are many, but of one kind; panoptic pictures are
few, but complete."""
BOX_SHARE = 1 / 2
"""Of the prompts, those that are boxes."""
POINTS = 3
"""Places for points in each prompt; most stay empty."""


@dataclass(frozen=True)
class CropSize:
    """Crops of `side` pixels, `count` a step, drawn with `weight`."""

    side: int
    count: int
    weight: float


CROP_SIZES = (CropSize(256, 16, 0.68), CropSize(384, 7, 0.24), CropSize(512, 4, 0.08))


@dataclass(frozen=True)
class Batch:
    """One step's examples: B crops of S pixels with P prompts each, N = B * P prompts in all.

    Args:
        pixels: uint8 (B, 3, S, S), zero where the photograph ends.
        inside: bool (B, 1, S, S), where the photograph is.
        boxes_xyxy: float32 (N, 4) in crop pixels.
        points: float32 (N, POINTS, 2) in crop pixels.
        labels: int64 (N, POINTS), 1 on the object, 0 beside it, -1 where there is no point.
        is_box: bool (N,), whether a prompt is its box, perhaps with points, or points alone; the same pattern in
            every crop.
        has_mask: bool (N,), whether the mask is known; the same in all prompts of a crop.
        targets: uint8 (N, S / 2, S / 2), the masks; where they are not known, the boxes, filled.
    """

    pixels: Tensor
    inside: Tensor
    boxes_xyxy: Tensor
    points: Tensor
    labels: Tensor
    is_box: Tensor
    has_mask: Tensor
    targets: Tensor


class CropDataset(Dataset[Batch]):
    """Item i is the batch of step i.

    Args:
        pictures: photographs with their masks.
        seed: of everything that is drawn.
        steps: how many batches there are.
        prompts_per_crop: P.
        box_share: share of the prompts that are boxes, perhaps with points; the others are points alone.
        sizes: of the crops.
    """

    def __init__(
        self,
        pictures: list[LabelledPicture],
        *,
        seed: int,
        steps: int,
        prompts_per_crop: int = 6,
        box_share: float = BOX_SHARE,
        sizes: Sequence[CropSize] | None = None,
    ) -> None:
        self.by_source = {
            source: [
                picture
                for picture in pictures
                if picture.source == source and (len(picture.masked) or source == BOXES_ONLY)
            ]
            for source in SOURCE_WEIGHTS
        }
        self.by_source = {source: found for source, found in self.by_source.items() if found or source == SCENES}
        weights = np.array([SOURCE_WEIGHTS[source] for source in self.by_source])
        self.weights = weights / weights.sum()
        self.seed, self.steps, self.prompts_per_crop = seed, steps, prompts_per_crop
        self.boxes_per_crop = round(box_share * prompts_per_crop)  # the first ones, in every crop alike
        self.sizes = CROP_SIZES if sizes is None else tuple(sizes)
        self.cache: dict[str, npt.NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step))
        size = self.sizes[rng.choice(len(self.sizes), p=[size.weight for size in self.sizes])]
        crops = [self._crop(rng, size.side) for _ in range(size.count)]
        pixels, inside, boxes, points, labels, is_box, has_mask, targets = zip(*crops, strict=True)
        return Batch(
            pixels=torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2).copy()),
            inside=torch.from_numpy(np.stack(inside)[:, None]),
            boxes_xyxy=torch.from_numpy(np.concatenate(boxes)),
            points=torch.from_numpy(np.concatenate(points)),
            labels=torch.from_numpy(np.concatenate(labels)),
            is_box=torch.from_numpy(np.concatenate(is_box)),
            has_mask=torch.from_numpy(np.concatenate(has_mask)),
            targets=torch.from_numpy(np.concatenate(targets)),
        )

    def _picture(self, picture: LabelledPicture) -> npt.NDArray[np.uint8]:
        key = str(picture.path)
        if key not in self.cache:
            self.cache[key] = read_picture(picture)
        return self.cache[key]

    def _crop(self, rng: np.random.Generator, side: int) -> tuple[npt.NDArray[np.generic], ...]:
        while True:
            source = list(self.by_source)[rng.choice(len(self.by_source), p=self.weights)]
            if source == SCENES:
                scene = draw_scene(rng, size_hw=(side, side))
                drawn = _masks_of(rng, scene, side, limit=self.prompts_per_crop)
                if not drawn:
                    continue
                whole = np.ones((side, side), dtype=np.bool_)
                return self._with_prompts(rng, scene.picture, whole, drawn, has_mask=True)
            candidates = self.by_source[source]
            picture = candidates[rng.integers(len(candidates))]
            has_mask = len(picture.masked) > 0 and (source != BOXES_ONLY or rng.random() < 0.5)
            labelled = picture.masked if has_mask else np.arange(len(picture.masks))
            window = _window(rng, picture, side, labelled)
            wanted = _masks_in if has_mask else _filled_boxes_in
            targets = wanted(rng, picture, window, side, limit=self.prompts_per_crop)
            if targets:
                break
        x0, y0, x1, y1 = window
        scale = side / max(x1 - x0, y1 - y0)
        new_hw = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
        pixels = np.zeros((side, side, 3), dtype=np.uint8)
        inside = np.zeros((side, side), dtype=np.bool_)
        region = np.ascontiguousarray(self._picture(picture)[y0:y1, x0:x1])
        pixels[: new_hw[0], : new_hw[1]] = _recolour(
            rng,
            cv2.resize(region, new_hw[::-1], interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR),
        )
        inside[: new_hw[0], : new_hw[1]] = True
        return self._with_prompts(rng, pixels, inside, targets, has_mask=has_mask)

    def _with_prompts(
        self,
        rng: np.random.Generator,
        pixels: npt.NDArray[np.uint8],
        inside: npt.NDArray[np.bool_],
        targets: list[npt.NDArray[np.uint8]],
        *,
        has_mask: bool,
    ) -> tuple[npt.NDArray[np.generic], ...]:
        side = len(pixels)
        chosen = [targets[index % len(targets)] for index in range(self.prompts_per_crop)]
        masks = np.stack(chosen)
        if rng.random() < 0.5:  # mirror the photograph's own part, so that padding stays at the right
            width = int(inside.any(axis=0).sum()) // MASK_STRIDE * MASK_STRIDE
            pixels[:, :width] = pixels[:, :width][:, ::-1]
            masks[:, :, : width // MASK_STRIDE] = masks[:, :, : width // MASK_STRIDE][:, :, ::-1]
        is_box = np.arange(len(chosen)) < self.boxes_per_crop
        boxes = np.stack([_jittered_box(rng, mask, side) for mask in masks])
        points, labels = zip(
            *(_points(rng, mask, beside_box=bool(box)) for mask, box in zip(masks, is_box, strict=True)),
            strict=True,
        )
        known = np.full(len(chosen), has_mask)
        return pixels, inside, boxes, np.stack(points), np.stack(labels), is_box, known, masks


def _window(
    rng: np.random.Generator, picture: LabelledPicture, side: int, labelled: npt.NDArray[np.int64]
) -> tuple[int, int, int, int]:
    """The part of a photograph to crop: all of it, or a square around some object with some of what surrounds it."""
    height, width = picture.size_hw
    if rng.random() < (0.3 if side <= 256 else 0.6):
        return 0, 0, width, height
    x0, y0, x1, y1 = picture.boxes_xyxy[rng.choice(labelled)]
    extent = max(x1 - x0, y1 - y0) * np.exp(rng.uniform(np.log(1.1), np.log(6)))
    extent = int(np.clip(extent, side / 3, max(height, width)))
    window_width, window_height = min(extent, width), min(extent, height)
    low_x, high_x = sorted((x1 - window_width, x0))
    low_y, high_y = sorted((y1 - window_height, y0))
    left = int(np.clip(rng.uniform(low_x, high_x), 0, width - window_width))
    top = int(np.clip(rng.uniform(low_y, high_y), 0, height - window_height))
    return left, top, left + window_width, top + window_height


def _masks_in(
    rng: np.random.Generator,
    picture: LabelledPicture,
    window: tuple[int, int, int, int],
    side: int,
    *,
    limit: int,
) -> list[npt.NDArray[np.uint8]]:
    """Up to `limit` masks of objects seen in a window, at mask resolution, in random order."""
    x0, y0, x1, y1 = window
    scale = side / max(x1 - x0, y1 - y0) / MASK_STRIDE
    new_hw = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
    boxes = picture.boxes_xyxy[picture.masked]
    shared = np.minimum(boxes[:, 2:], [x1, y1]) - np.maximum(boxes[:, :2], [x0, y0])
    seen = picture.masked[(shared > 1).all(axis=1)]
    found: list[npt.NDArray[np.uint8]] = []
    for index in rng.permutation(seen):
        whole = decode_rle(picture.masks[index]).view(np.uint8)
        part = np.ascontiguousarray(whole[y0:y1, x0:x1])
        if part.sum() < 0.3 * whole.sum() and rng.random() < 0.7:
            continue  # mostly outside: what is left seldom looks like an object
        coverage = cv2.resize(part * np.uint8(255), new_hw[::-1], interpolation=cv2.INTER_AREA)
        target = np.zeros((side // MASK_STRIDE, side // MASK_STRIDE), dtype=np.uint8)
        target[: new_hw[0], : new_hw[1]] = coverage > 127
        if target.sum() >= MINIMUM_AREA:
            found.append(target)
        if len(found) == limit:
            break
    return found


def _masks_of(rng: np.random.Generator, scene: Scene, side: int, *, limit: int) -> list[npt.NDArray[np.uint8]]:
    """Up to `limit` masks of a drawn scene, at mask resolution, in random order."""
    found: list[npt.NDArray[np.uint8]] = []
    for index in rng.permutation(len(scene.masks)):
        coverage = cv2.resize(
            scene.masks[index] * np.uint8(255), (side // MASK_STRIDE,) * 2, interpolation=cv2.INTER_AREA
        )
        target = (coverage > 127).astype(np.uint8)
        if target.sum() >= MINIMUM_AREA:
            found.append(target)
        if len(found) == limit:
            break
    return found


def _filled_boxes_in(
    rng: np.random.Generator,
    picture: LabelledPicture,
    window: tuple[int, int, int, int],
    side: int,
    *,
    limit: int,
) -> list[npt.NDArray[np.uint8]]:
    """Up to `limit` labelled boxes that lie in a window and are not too small there, filled, at mask resolution."""
    x0, y0, x1, y1 = window
    scale = side / max(x1 - x0, y1 - y0) / MASK_STRIDE
    boxes = np.round((picture.boxes_xyxy - [x0, y0, x0, y0]) * scale).astype(int)
    whole = (picture.boxes_xyxy[:, :2] >= [x0 - 1, y0 - 1]).all(axis=1) & (
        picture.boxes_xyxy[:, 2:] <= [x1 + 1, y1 + 1]
    ).all(axis=1)
    large = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_BOX).all(axis=1)
    found: list[npt.NDArray[np.uint8]] = []
    for left, top, right, bottom in boxes[rng.permutation(np.flatnonzero(whole & large))[:limit]]:
        target = np.zeros((side // MASK_STRIDE, side // MASK_STRIDE), dtype=np.uint8)
        target[max(top, 0) : bottom, max(left, 0) : right] = 1
        found.append(target)
    return found


def _jittered_box(rng: np.random.Generator, mask: npt.NDArray[np.generic], side: int) -> npt.NDArray[np.float32]:
    """The mask's tight box in crop pixels; three of five are moved by up to a tenth of their sides, as SAM does."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64) * MASK_STRIDE
    if rng.random() < 0.6:
        sides = np.tile(box[2:] - box[:2], 2)
        box = box + np.clip(rng.normal(0, 0.05, 4), -0.1, 0.1) * sides
    return np.clip(box, 0, side).astype(np.float32)


def _points(
    rng: np.random.Generator, mask: npt.NDArray[np.uint8], *, beside_box: bool
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Points of a prompt (POINTS, 2) in crop pixels, and their labels (POINTS,).

    A prompt of points has one on the mask, its innermost or any, and now and then more, on it or near it. One with
    a box has seldom any.
    """
    points = np.zeros((POINTS, 2), dtype=np.float32)
    labels = np.full(POINTS, -1, dtype=np.int64)
    rows, columns = np.nonzero(mask)
    if not beside_box:
        if rng.random() < 0.4:
            depth = cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), mask.shape)
        else:
            pick = rng.integers(len(rows))
            row, column = rows[pick], columns[pick]
        points[0], labels[0] = (column, row), 1
    if rng.random() < 0.15:
        margin = 2 + (np.ptp(rows) + np.ptp(columns)) // 8
        part = mask[
            max(rows.min() - margin, 0) : rows.max() + margin + 1,
            max(columns.min() - margin, 0) : columns.max() + margin + 1,
        ]
        near_rows, near_columns = np.nonzero(part == 0)
        for place in range(1, 1 + rng.integers(1, POINTS)):
            if rng.random() < 0.5 or len(near_rows) == 0:
                pick = rng.integers(len(rows))
                points[place], labels[place] = (columns[pick], rows[pick]), 1
            else:
                pick = rng.integers(len(near_rows))
                low = max(columns.min() - margin, 0), max(rows.min() - margin, 0)
                points[place], labels[place] = (low[0] + near_columns[pick], low[1] + near_rows[pick]), 0
    return (points + 0.5) * MASK_STRIDE - 0.5, labels


def _recolour(rng: np.random.Generator, pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Change brightness, contrast and each channel's gain a little, and now and then take the colours away."""
    gain = rng.uniform(0.75, 1.25) * rng.uniform(0.9, 1.1, 3)
    values = (pixels.astype(np.float32) - 128) * gain + 128 + rng.uniform(-25, 25)
    if rng.random() < 0.08:
        values = np.repeat(values.mean(axis=2, keepdims=True), 3, axis=2)
    return np.clip(values, 0, 255).astype(np.uint8)
