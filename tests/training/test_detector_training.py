from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.models.detector import Detections, DetectorConfig, ObjectDetector, build_detector_module
from mobilesamv2.types import Picture
from training.coco_data import read_labels, read_picture
from training.detector import weighted_cross_entropy
from training.detector_batches import BatchMaker, Mix, augment
from training.detector_export import as_detector, confidence_shift, shift_confidence
from training.detector_recall import measure_recall


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of each kind: a white rectangle on black, labelled with mask and box, or with a box alone."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    images, annotations = [], []
    kinds = [
        ("coco-panoptic", "train"),
        ("coco-boxes", "train"),
        ("facade", "train"),
        ("coco-panoptic", "val"),
    ]
    for number, (source, split) in enumerate(kinds):
        pixels = np.zeros((60, 80, 3), dtype=np.uint8)
        pixels[20:40, 10:50] = 255
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        masks = {"coco-panoptic": "exhaustive", "coco-boxes": "none"}.get(source, "partial")
        images.append(
            {"id": number, "file_name": f"{number}.png", "height": 60, "width": 80}
            | {"source": source, "split": split, "masks": masks}
        )
        rle = coco_mask.encode(np.asfortranarray(pixels[..., 0] // 255))
        masked = {"segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}}
        plain = [{"image_id": number, "bbox": [10.4, 20.2, 39.4, 19.9]}]
        annotations += plain + (
            [{"image_id": number, "bbox": [10, 20, 40, 20]} | masked] if number != 1 else []
        )
    text = json.dumps({"images": images, "annotations": annotations})
    (root / "annotations.json").write_text(text, encoding="utf-8")
    return root


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
def test_boxes_follow_the_picture_through_augmentation(seed: int) -> None:
    pixels = np.zeros((60, 80, 3), dtype=np.uint8)
    pixels[20:40, 10:50] = 255
    boxes = np.array([[10, 20, 50, 40]], dtype=np.float32)
    square, moved = augment(np.random.default_rng(seed), pixels, boxes, side=160)
    assert square.shape == (160, 160, 3)
    if len(moved) == 0:
        pytest.fail("The rectangle is large: some of it must remain.")
    bright = square.mean(axis=2) > 0.8 * square.mean(axis=2).max()
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    tight = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(moved[0], tight, atol=2.5)


def test_batches_hold_the_mix_and_can_be_made_again(folder: Path) -> None:
    mix = Mix(panoptic=2, coco=1, partial=1, scenes=1)
    maker = BatchMaker(read_labels(folder, split="train"), mix=mix, sides=(64, 96), seed=5)
    batch, again, other = maker.batch(7), maker.batch(7), maker.batch(8)
    assert batch.pictures.shape[0] == 5
    assert batch.pictures.shape[2] == batch.pictures.shape[3]
    assert batch.background_weight.tolist() == pytest.approx(
        [1, 1, mix.coco_background, mix.facade_background, 1]
    )
    assert torch.equal(batch.pictures, again.pictures)
    assert torch.equal(batch.boxes_cxcywh, again.boxes_cxcywh)
    assert not torch.equal(batch.pictures, other.pictures)
    assert ((batch.boxes_cxcywh >= 0) & (batch.boxes_cxcywh <= 1)).all()


def test_val_pictures_are_refused_for_training(folder: Path) -> None:
    with pytest.raises(ValueError, match="leave them out"):
        BatchMaker(read_labels(folder), mix=Mix(), sides=(64,), seed=0)


def test_unlabelled_places_count_by_their_weight_and_labelled_ones_in_full() -> None:
    logits, targets = torch.zeros(2, 3, 1), torch.tensor([[[0.0], [0.5], [0.0]]] * 2)
    weights = torch.tensor([1.0, 0.1])[:, None, None]
    loss = weighted_cross_entropy(logits, targets, background_weight=weights)
    one = torch.log(torch.tensor(2.0))
    torch.testing.assert_close(
        loss[..., 0], torch.stack([one * torch.ones(3), one * torch.tensor([0.1, 1, 0.1])])
    )


class FakeDetector(ObjectDetector):
    """Finds 30 boxes in every picture, with falling scores."""

    def __init__(self) -> None:
        super().__init__(build_detector_module(DetectorConfig()))

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float = 0.9, max_boxes: int = 320
    ) -> Detections:
        scores = np.linspace(0.3, 0.01, 30, dtype=np.float32)[:max_boxes]
        return Detections(boxes_xyxy=np.tile(np.float32([10, 20, 50, 40]), (len(scores), 1)), scores=scores)


def test_calibration_lifts_the_wanted_number_of_boxes_above_the_threshold(folder: Path) -> None:
    fake = FakeDetector()
    shift = confidence_shift(fake, read_labels(folder), boxes_per_picture=20)
    logits = torch.logit(torch.from_numpy(np.linspace(0.3, 0.01, 30, dtype=np.float32)))
    before, after = torch.sigmoid(logits), torch.sigmoid(logits + shift + 1e-4)
    assert int((before > 0.4).sum()) == 0
    assert int((after > 0.4).sum()) == 20


def test_shifting_confidence_moves_every_logit_and_no_box() -> None:
    network = build_detector_module(DetectorConfig())
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = as_detector(network)(picture)
        shift_confidence(network, 9.0)
        after = as_detector(network)(picture)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    torch.testing.assert_close(torch.logit(after[:, 4]), torch.logit(before[:, 4]) + 9, atol=1e-2, rtol=0)


def test_recall_counts_labels_that_some_box_meets(folder: Path) -> None:
    recall = measure_recall(FakeDetector(), read_labels(folder), confidence=0.195)
    assert recall.recall_at_half == {10: 1.0, 50: 1.0, 100: 1.0, 300: 1.0}
    assert recall.average_recall[300] == pytest.approx((3 * 1.0 + 0.9 + 0.1 - 0.1) / 4, abs=0.06)
    assert recall.boxes_per_picture == 11
    assert np.isnan(recall.by_size["small"])
    assert recall.by_size["large"] == recall.average_recall[300]
