from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mobilesamv2.types import Picture
from training.coco_data import LabelledPicture, read_labels, read_picture
from training.detector_batches import SCENES, BatchMaker, Mix, augment, stream
from training.detector_data import kept_out, training_pictures


def test_a_box_that_repeats_a_mask_is_left_out(folder: Path) -> None:
    pictures = read_labels(folder)
    assert [len(picture.boxes_xyxy) for picture in pictures] == [1, 1, 1, 1]
    assert [len(picture.masked) for picture in pictures] == [1, 0, 1, 1]
    assert pictures[0].boxes_xyxy.tolist() == [[10, 20, 50, 40]]
    assert [picture.exhaustive for picture in pictures] == [True, False, False, True]


def test_splits_and_sources_are_kept_apart(folder: Path) -> None:
    assert [p.source for p in read_labels(folder, split="val")] == ["coco-panoptic"]
    assert [p.split for p in read_labels(folder, sources=["facade"])] == ["train"]
    assert read_labels(folder, sources=[]) == []


def test_a_picture_is_read_as_rgb(folder: Path) -> None:
    pixels = read_picture(read_labels(folder)[0])
    assert pixels.shape == (60, 80, 3)
    assert pixels.dtype == np.uint8
    assert pixels[20:40, 10:50].min() == 255


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size_hw", [(160, 160), (96, 192), (32, 32)])
def test_boxes_follow_the_picture_through_augmentation(seed: int, size_hw: tuple[int, int]) -> None:
    pixels = np.zeros((60, 80, 3), dtype=np.uint8)
    pixels[20:40, 10:50] = 255
    boxes = np.array([[10, 20, 50, 40]], dtype=np.float32)
    placed, moved = augment(np.random.default_rng(seed), pixels, boxes, size_hw=size_hw)
    assert placed.shape == (*size_hw, 3)
    bright = placed.mean(axis=2) > 0.8 * placed.mean(axis=2).max()
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if len(moved):
        tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(moved[0], tight, atol=2.5)


def test_what_hardly_remains_of_a_box_is_left_out() -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    boxes = np.array([[0, 0, 40, 40], [1, 1, 2, 39]], dtype=np.float32)
    _, moved = augment(np.random.default_rng(0), pixels, boxes, size_hw=(40, 40), zoom=(0.9, 1.0))
    assert len(moved) == 1
    none = np.zeros((0, 4), dtype=np.float32)
    assert augment(np.random.default_rng(0), pixels, none, size_hw=(40, 40))[1].shape == (0, 4)


SCENES_ONLY = Mix(shares={SCENES: 1.0})
MIX = Mix(shares={"coco": 1.0, "panoptic": 1.0, "parts": 1.0, SCENES: 1.0}, mosaic=0.5)


def test_batches_can_be_made_again_and_differ(folder: Path) -> None:
    maker = BatchMaker(read_labels(folder, split="train"), mix=MIX, sides=(64, 96), seed=5, pixels=6 * 64 * 64)
    batch, again, other = maker[7], maker[7], maker[8]
    assert batch.pictures.shape[2] == batch.pictures.shape[3]
    assert torch.equal(batch.pictures, again.pictures)
    assert torch.equal(batch.boxes_xyxy, again.boxes_xyxy)
    assert batch.pictures.shape != other.pictures.shape or not torch.equal(batch.pictures, other.pictures)
    assert batch.background.shape == (len(batch.pictures), *(side // 32 for side in batch.pictures.shape[2:]))
    assert ((batch.boxes_xyxy >= 0) & (batch.boxes_xyxy <= batch.pictures.shape[-1])).all()
    assert len(batch.picture_index) == len(batch.boxes_xyxy)


def test_larger_pictures_come_in_smaller_batches(folder: Path) -> None:
    for side, count in ((32, 12), (64, 8), (96, 4), (128, 4)):
        maker = BatchMaker([], mix=SCENES_ONLY, sides=(side,), seed=0, pixels=8 * 64 * 64)
        assert len(maker[0].pictures) == count


@pytest.mark.parametrize("mosaic", [0.0, 1.0])
@pytest.mark.parametrize(("kind", "weight"), [("panoptic", 1.0), ("coco", 0.2), ("parts", 0.25)])
def test_unlabelled_places_count_as_their_source_says(folder: Path, kind: str, weight: float, mosaic: float) -> None:
    mix = Mix(shares={kind: 1.0}, mosaic=mosaic)
    batch = BatchMaker(read_labels(folder, split="train"), mix=mix, sides=(128,), seed=5)[0]
    assert sorted(set(batch.background.flatten().tolist())) == pytest.approx([weight])


def test_kinds_that_the_mix_leaves_out_are_not_read(folder: Path) -> None:
    read = []

    def reading(picture: LabelledPicture) -> Picture:
        read.append(picture.source)
        return read_picture(picture)

    pictures = read_labels(folder, split="train")
    BatchMaker(pictures, mix=Mix(shares={"coco": 1.0}), sides=(64,), seed=5, read=reading)[0]
    assert set(read) == {"coco-boxes"}
    assert len(read) == 1, "What is decoded is kept."


def test_batches_of_another_process_are_the_same(folder: Path) -> None:
    maker = BatchMaker(read_labels(folder, split="train"), mix=MIX, sides=(64,), seed=5)
    here, there = (list(stream(maker, first=3, last=5, workers=workers)) for workers in (0, 1))
    assert len(here) == len(there) == 2
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.pictures, other.pictures)
        assert torch.equal(one.boxes_xyxy, other.boxes_xyxy)


def test_val_pictures_are_refused_for_training(folder: Path) -> None:
    with pytest.raises(ValueError, match="leave them out"):
        BatchMaker(read_labels(folder), mix=Mix(), sides=(64,), seed=0)


def labelled(source: str, name: str, *, small: int = 0, split: str = "train") -> LabelledPicture:
    boxes = np.tile(np.array([0, 0, 5, 5], dtype=np.float32), (small, 1))
    return LabelledPicture(
        path=Path(name),
        size_hw=(100, 100),
        source=source,
        split=split,  # type: ignore[arg-type]
        exhaustive=False,
        boxes_xyxy=boxes,
        masks=(None,) * small,
    )


@pytest.mark.parametrize(
    ("picture", "where"),
    [
        (labelled("coco-panoptic", "coco_9.webp", split="val"), "val"),
        (labelled("coco-panoptic", "coco_8.webp"), None),
        (labelled("coco-boxes", "coco_00016.webp", small=5), "small"),
        (labelled("coco-instances", "coco_00016.webp", small=5), "small"),
        (labelled("coco-boxes", "coco_00016.webp", small=4), None),
        (labelled("coco-boxes", "coco_00017.webp", small=5), None),
        (labelled("bsds400", "bsds400_120.webp"), "regions"),
        (labelled("bsds400", "bsds400_121.webp"), None),
        (labelled("facade", "facade_80.webp", small=9), None),
    ],
)
def test_what_is_kept_out_follows_from_the_number(picture: LabelledPicture, where: str | None) -> None:
    assert kept_out(picture) == where


def test_nothing_kept_out_is_trained_on(folder: Path) -> None:
    assert [kept_out(picture) for picture in training_pictures(folder)] == [None] * 3
