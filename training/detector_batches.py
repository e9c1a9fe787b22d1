"""Mixes photographs and drawn scenes into augmented batches for the detector.

A batch depends on nothing but the seed and its number, so a run that was stopped goes on with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from mobilesamv2.types import Floats, Picture

from .coco_data import LabelledPicture, read_picture
from .scenes import draw_scene

GREY = 114


@dataclass(frozen=True)
class Mix:
    """Pictures of each kind in a batch, and how much an unlabelled place there counts as "no object".

    Labels of photographs are not exhaustive but for the panoptic ones: what is unlabelled may well be an object.
    `partial` pictures are those of facades and trees.
    """

    panoptic: int = 2
    coco: int = 4
    partial: int = 1
    scenes: int = 1
    coco_background: float = 0.2
    facade_background: float = 0.25
    tree_background: float = 0.05

    def background_of(self, source: str) -> float:
        """Weight in 0..1 of the classification loss where nothing is labelled."""
        return {
            "coco-instances": self.coco_background,
            "coco-boxes": self.coco_background,
            "facade": self.facade_background,
            "tree": self.tree_background,
        }.get(source, 1.0)


@dataclass(frozen=True, eq=False)
class Batch:
    """B augmented pictures of one size.

    Args:
        pictures: uint8 (B, 3, S, S), RGB.
        boxes_cxcywh: float32 (N, 4), of all pictures: centre, width and height as fractions of the side.
        picture_index: int64 (N,), which picture each box is in.
        background_weight: float32 (B,), see `Mix`.
    """

    pictures: Tensor
    boxes_cxcywh: Tensor
    picture_index: Tensor
    background_weight: Tensor


class BatchMaker:
    """Keeps all photographs decoded in memory (2 GB for 3,600) and makes batches of them.

    Args:
        pictures: what to train on; none of split "val". Kinds of which the mix takes none are not read.
        sides: sides in pixels that a batch can have.
        read: what decodes a picture; a cached one lets several makers share what is in memory.
    """

    def __init__(
        self,
        pictures: Sequence[LabelledPicture],
        *,
        mix: Mix,
        sides: Sequence[int],
        seed: int,
        read: Callable[[LabelledPicture], Picture] = read_picture,
    ) -> None:
        if any(picture.split == "val" for picture in pictures):
            raise ValueError("Pictures of the split val are for measuring only: leave them out.")
        self.mix, self.sides, self.seed = mix, tuple(sides), seed
        kinds = {"coco-panoptic": "panoptic", "facade": "partial", "tree": "partial"}
        self._groups: dict[str, list[tuple[Picture, LabelledPicture]]] = {}
        for picture in pictures:
            kind = kinds.get(picture.source, "coco")
            if getattr(mix, kind):
                self._groups.setdefault(kind, []).append((read(picture), picture))

    def batch(self, number: int) -> Batch:
        """Batch `number`, always the same."""
        rng = np.random.default_rng((self.seed, number))
        side = int(rng.choice(self.sides))
        samples = []
        for kind, group in self._groups.items():
            for index in rng.integers(0, len(group), getattr(self.mix, kind)):
                pixels, picture = group[index]
                boxes = picture.boxes_xyxy
                samples.append(
                    (*augment(rng, pixels, boxes, side=side), self.mix.background_of(picture.source))
                )
        for _ in range(self.mix.scenes):
            scene = draw_scene(rng, size_hw=(side, side))
            samples.append((scene.picture, scene.boxes_xyxy, 1.0))
        boxes = np.concatenate([boxes for _, boxes, _ in samples])
        centre_size = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
        counts = [len(boxes) for _, boxes, _ in samples]
        return Batch(
            pictures=torch.from_numpy(np.stack([pixels for pixels, _, _ in samples])).permute(0, 3, 1, 2),
            boxes_cxcywh=torch.from_numpy(centre_size.astype(np.float32) / side),
            picture_index=torch.from_numpy(np.repeat(np.arange(len(samples)), counts)),
            background_weight=torch.tensor([weight for _, _, weight in samples]),
        )


def augment(
    rng: np.random.Generator, pixels: Picture, boxes_xyxy: Floats, *, side: int
) -> tuple[Picture, Floats]:
    """Mirror, zoom, shift and recolour a picture into a square, grey where it does not reach.

    Returns:
        The square, uint8 (side, side, 3), and its boxes: those of which a quarter and at least 3 x 3 pixels remain.
    """
    height, width = pixels.shape[:2]
    zoom = float(np.exp(rng.uniform(np.log(0.8), np.log(2.0)))) if rng.random() < 0.8 else 1.0
    scale = zoom * side / max(height, width)
    stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
    scale_x, scale_y = scale * stretch, scale / stretch
    # A picture that is larger than the square covers it; a smaller one lies somewhere in it.
    shift_x, shift_y = rng.uniform(0, 1, 2) * (side - width * scale_x, side - height * scale_y)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
        boxes_xyxy = np.stack(
            [width - boxes_xyxy[:, 2], boxes_xyxy[:, 1], width - boxes_xyxy[:, 0], boxes_xyxy[:, 3]], axis=1
        )
    # warpAffine speaks of pixel centres, boxes of pixel edges: hence the halves.
    matrix = np.array(
        [[scale_x, 0, shift_x + scale_x / 2 - 0.5], [0, scale_y, shift_y + scale_y / 2 - 0.5]],
        dtype=np.float64,
    )
    square = cv2.warpAffine(
        np.ascontiguousarray(pixels),
        matrix,
        (side, side),
        flags=cv2.INTER_AREA if scale < 0.6 else cv2.INTER_LINEAR,
        borderValue=(GREY, GREY, GREY),
    )
    moved = boxes_xyxy * np.array([scale_x, scale_y] * 2) + np.array([shift_x, shift_y] * 2)
    clipped = np.clip(moved, 0, side).astype(np.float32)
    sides = clipped[:, 2:] - clipped[:, :2]
    whole = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
    kept = (sides.min(axis=1, initial=side) >= 3) & (sides.prod(axis=1) >= 0.25 * whole)
    return _recolour(rng, np.asarray(square, dtype=np.uint8)), clipped[kept]


def _recolour(rng: np.random.Generator, pixels: Picture) -> Picture:
    """Change saturation, contrast, brightness and white balance a little, through one 3 x 4 colour matrix."""
    grey = np.full((3, 3), 1 / 3)
    saturation = rng.uniform(0.0, 1.6) if rng.random() < 0.8 else 0.0
    mixed = grey + saturation * (np.eye(3) - grey)
    contrast, balance = rng.uniform(0.7, 1.3), rng.uniform(0.92, 1.08, (3, 1))
    offset = rng.uniform(-30, 30) + 128 * (1 - contrast)
    matrix = np.concatenate([balance * contrast * mixed, np.full((3, 1), offset)], axis=1)
    return np.asarray(cv2.transform(pixels, matrix.astype(np.float32)), dtype=np.uint8)
