"""Mixes photographs and drawn scenes into augmented batches for the detector.

A batch depends on nothing but the seed and its number, so a run that was stopped goes on with the same batches.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mobilesamv2.types import Floats, Picture

from .coco_data import LabelledPicture, read_picture
from .scenes import draw_scene

GREY = 114
CELL = 32
"""Pixels of the squares in which a batch says how much an unlabelled place counts."""
SCENES = "scenes"
"""The kind of picture that is drawn, not read."""


def _usual_shares() -> dict[str, float]:
    return {"coco": 0.55, "regions": 0.16, "panoptic": 0.09, "parts": 0.12, SCENES: 0.08}


def _usual_background() -> dict[str, float]:
    partial = {"ccp": 0.05, "carparts": 0.05, "davis20": 0.02, "tree": 0.05, "facade": 0.25, "camvid": 0.5}
    return {"coco-instances": 0.2, "coco-boxes": 0.2} | partial


KINDS = {
    "coco-instances": "coco",
    "coco-boxes": "coco",
    "bsds400": "regions",
    "coco-panoptic": "panoptic",
}
"""The kind of each source; all others are "parts"."""


@dataclass(frozen=True)
class Mix:
    """How often pictures of each kind are drawn, and how much an unlabelled place in them counts as "no object".

    Labels are exhaustive in panoptic and region pictures and in drawn scenes alone: elsewhere, what is unlabelled may
    well be an object.

    Args:
        shares: of each kind; need not add up to 1. A kind that is missing is not read.
        background: weight in 0..1 of the confidence's loss where nothing is labelled, per source; 1 for all others.
        mosaic: share of the photographs that are four in one, which gives many small objects.
    """

    shares: Mapping[str, float] = field(default_factory=_usual_shares)
    background: Mapping[str, float] = field(default_factory=_usual_background)
    mosaic: float = 0.4


@dataclass(frozen=True, eq=False)
class Batch:
    """B augmented pictures of one size.

    Args:
        pictures: uint8 (B, 3, S, S), RGB.
        boxes_xyxy: float32 (N, 4), of all pictures, in pixels.
        picture_index: int64 (N,), which picture each box is in.
        background: float32 (B, S / 32, S / 32), what an unlabelled place counts, see `Mix`.
    """

    pictures: Tensor
    boxes_xyxy: Tensor
    picture_index: Tensor
    background: Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture of a batch: uint8 (S, S, 3), its boxes (N, 4), and its background (S / 32, S / 32)."""

    picture: Picture
    boxes_xyxy: Floats
    background: Floats


class BatchMaker(Dataset[Batch]):
    """Makes batches, and keeps every photograph it has decoded in memory (3.5 GB for 5,700).

    Args:
        pictures: what to train on; none of split "val".
        mix: kinds of which it takes none are left out.
        sides: sides in pixels that a batch can have, multiples of 32.
        pixels: a batch has as many pictures as that, as nearly as can be, but 4 to 12.
        read: what decodes a picture.
    """

    def __init__(
        self,
        pictures: Sequence[LabelledPicture],
        *,
        mix: Mix,
        sides: Sequence[int],
        seed: int,
        pixels: int = 8 * 384 * 384,
        read: Callable[[LabelledPicture], Picture] = read_picture,
    ) -> None:
        if any(picture.split == "val" for picture in pictures):
            raise ValueError("Pictures of the split val are for measuring only: leave them out.")
        self.mix, self.sides, self.seed, self.pixels = mix, tuple(sides), seed, pixels
        self._read, self._decoded = read, dict[int, Picture]()
        self._pictures = [p for p in pictures if KINDS.get(p.source, "parts") in mix.shares]
        self._groups: dict[str, list[int]] = {SCENES: []} if SCENES in mix.shares else {}
        for index, picture in enumerate(self._pictures):
            self._groups.setdefault(KINDS.get(picture.source, "parts"), []).append(index)
        self._by_source: dict[str, list[int]] = {}
        for index in self._groups.get("parts", ()):
            self._by_source.setdefault(self._pictures[index].source, []).append(index)

    def __getitem__(self, number: int) -> Batch:
        """Batch `number`, always the same."""
        rng = np.random.default_rng((self.seed, number))
        side = int(rng.choice(self.sides))
        count = int(np.clip(round(self.pixels / side**2), 4, 12))
        kinds = list(self._groups)
        shares = np.array([self.mix.shares[kind] for kind in kinds])
        samples = [
            self._sample(rng, kinds[index], side) for index in rng.choice(len(kinds), count, p=shares / shares.sum())
        ]
        return Batch(
            pictures=torch.from_numpy(np.stack([sample.picture for sample in samples])).permute(0, 3, 1, 2),
            boxes_xyxy=torch.from_numpy(np.concatenate([sample.boxes_xyxy for sample in samples])),
            picture_index=torch.from_numpy(np.repeat(np.arange(count), [len(sample.boxes_xyxy) for sample in samples])),
            background=torch.from_numpy(np.stack([sample.background for sample in samples])),
        )

    def _sample(self, rng: np.random.Generator, kind: str, side: int) -> Sample:
        if kind == SCENES:
            scene = draw_scene(rng, size_hw=(side, side))
            return Sample(scene.picture, scene.boxes_xyxy, np.ones((side // CELL,) * 2, dtype=np.float32))
        if rng.random() >= self.mix.mosaic:
            return self._photograph(rng, kind, (side, side), zoom=(0.6, 1.8))
        # Four pictures around a point on the grid of the background.
        middle = rng.integers(round(0.35 * side / CELL), round(0.65 * side / CELL) + 1, 2) * CELL
        picture = np.empty((side, side, 3), dtype=np.uint8)
        background = np.empty((side // CELL,) * 2, dtype=np.float32)
        boxes = []
        for y0, y1 in ((0, middle[0]), (middle[0], side)):
            for x0, x1 in ((0, middle[1]), (middle[1], side)):
                part = self._photograph(rng, kind, (int(y1 - y0), int(x1 - x0)), zoom=(0.9, 2.5))
                picture[y0:y1, x0:x1] = part.picture
                background[y0 // CELL : y1 // CELL, x0 // CELL : x1 // CELL] = part.background
                boxes.append(part.boxes_xyxy + np.array([x0, y0] * 2, dtype=np.float32))
        return Sample(picture, np.concatenate(boxes), background)

    def _photograph(
        self, rng: np.random.Generator, kind: str, size_hw: tuple[int, int], *, zoom: tuple[float, float]
    ) -> Sample:
        group = self._groups[kind]
        if kind == "parts":  # each of its sources as often as the square root of its number says
            sources = list(self._by_source.values())
            often = np.sqrt([len(source) for source in sources])
            group = sources[int(rng.choice(len(sources), p=often / often.sum()))]
        index = group[int(rng.integers(len(group)))]
        if index not in self._decoded:
            self._decoded[index] = self._read(self._pictures[index])
        picture = self._pictures[index]
        pixels, boxes = augment(rng, self._decoded[index], picture.boxes_xyxy, size_hw=size_hw, zoom=zoom)
        weight = self.mix.background.get(picture.source, 1.0)
        cells = (size_hw[0] // CELL, size_hw[1] // CELL)
        return Sample(pixels, boxes, np.full(cells, weight, dtype=np.float32))


def stream(batches: BatchMaker, *, first: int, last: int, workers: int) -> Iterator[Batch]:
    """Batches `first` to `last` - 1 in their order, made ahead by other processes, which give way to training."""
    if workers == 0:
        return (batches[number] for number in range(first, last))
    return iter(
        DataLoader(
            batches,
            batch_size=None,
            sampler=range(first, last),
            num_workers=workers,
            prefetch_factor=6,
            worker_init_fn=_give_way,
        )
    )


def _give_way(worker: int) -> None:
    del worker
    os.nice(5)
    cv2.setNumThreads(1)


def augment(
    rng: np.random.Generator,
    pixels: Picture,
    boxes_xyxy: Floats,
    *,
    size_hw: tuple[int, int],
    zoom: tuple[float, float] = (0.8, 2.0),
) -> tuple[Picture, Floats]:
    """Mirror, zoom, shift and recolour a picture into a rectangle, grey where it does not reach.

    Args:
        size_hw: height and width of the rectangle.
        zoom: range of the picture's longer side, as a multiple of the rectangle's.

    Returns:
        The rectangle, uint8 (H, W, 3), and its boxes: those of which a quarter and at least 3 x 3 pixels remain.
    """
    height, width = pixels.shape[:2]
    factor = float(np.exp(rng.uniform(*np.log(zoom))))
    scale = factor * max(size_hw) / max(height, width)
    stretch = float(np.exp(rng.uniform(-0.15, 0.15)))
    scale_x, scale_y = scale * stretch, scale / stretch
    # A picture that is larger than the rectangle covers it; a smaller one lies somewhere in it.
    spare = np.array([size_hw[1] - width * scale_x, size_hw[0] - height * scale_y])
    shift_x, shift_y = rng.uniform(0, 1, 2) * spare
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
    if scale < 0.6:  # bilinear sampling alone would skip pixels
        smaller = cv2.resize(pixels, None, fx=2 * scale, fy=2 * scale, interpolation=cv2.INTER_AREA)
        matrix[:, :2] *= np.array([width / smaller.shape[1], height / smaller.shape[0]])
        matrix[:, 2] = (shift_x + matrix[0, 0] / 2 - 0.5, shift_y + matrix[1, 1] / 2 - 0.5)
        pixels = np.asarray(smaller, dtype=np.uint8)
    placed = cv2.warpAffine(
        np.ascontiguousarray(pixels),
        matrix,
        (size_hw[1], size_hw[0]),
        flags=cv2.INTER_LINEAR,
        borderValue=(GREY, GREY, GREY),
    )
    moved = boxes_xyxy * np.array([scale_x, scale_y] * 2) + np.array([shift_x, shift_y] * 2)
    clipped = np.clip(moved, 0, np.array([size_hw[1], size_hw[0]] * 2)).astype(np.float32)
    sides = clipped[:, 2:] - clipped[:, :2]
    whole = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
    kept = (sides.min(axis=1, initial=3) >= 3) & (sides.prod(axis=1) >= 0.25 * whole)
    return _recolour(rng, np.asarray(placed, dtype=np.uint8)), clipped[kept]


def _recolour(rng: np.random.Generator, pixels: Picture) -> Picture:
    """Change saturation, contrast, brightness and white balance a little, through one 3 x 4 colour matrix."""
    grey = np.full((3, 3), 1 / 3)
    saturation = rng.uniform(0.3, 1.5) if rng.random() < 0.93 else 0.0
    mixed = grey + saturation * (np.eye(3) - grey)
    contrast, balance = rng.uniform(0.7, 1.3), rng.uniform(0.92, 1.08, (3, 1))
    offset = rng.uniform(-25, 25) + 128 * (1 - contrast)
    matrix = np.concatenate([balance * contrast * mixed, np.full((3, 1), offset)], axis=1)
    return np.asarray(cv2.transform(pixels, matrix.astype(np.float32)), dtype=np.uint8)
