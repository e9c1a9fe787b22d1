from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from safetensors.torch import save_file
from torch import Tensor

from mobilesamv2.models.detector.detector import (
    Detections,
    DetectorConfig,
    ObjectDetector,
    build_detector_module,
)
from mobilesamv2.types import Picture
from training.coco_data import LabelledPicture, read_labels, read_picture
from training.detector import TrainingConfig, main, train, train_command, weighted_cross_entropy, weights_in
from training.detector_batches import Batch, BatchMaker, Mix, augment
from training.detector_export import as_detector, confidence_shift, model_card, shift_confidence
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


def test_kinds_that_the_mix_leaves_out_are_not_read(folder: Path) -> None:
    read = []

    def reading(picture: LabelledPicture) -> Picture:
        read.append(picture.source)
        return read_picture(picture)

    mix = Mix(panoptic=0, coco=3, partial=0, scenes=0)
    pictures = read_labels(folder, split="train")
    maker = BatchMaker(pictures, mix=mix, sides=(64,), seed=5, read=reading)
    assert read == ["coco-boxes"]
    assert maker.batch(0).background_weight.tolist() == pytest.approx([mix.coco_background] * 3)


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


class StoppingMaker(BatchMaker):
    """Makes the batches of one drawn scene until it is asked for number `until`."""

    def __init__(self, *, until: int = 10) -> None:
        super().__init__([], mix=Mix(panoptic=0, coco=0, partial=0, scenes=1), sides=(64,), seed=5)
        self.until = until

    def batch(self, number: int) -> Batch:
        if number == self.until:
            raise KeyboardInterrupt
        return super().batch(number)


TWO_STEPS = TrainingConfig(steps=2, checkpoint_every_minutes=0.0)
STILL = TrainingConfig(steps=1, learning_rate=0.0)
"""Changes no parameter; the statistics of batch norms move all the same."""


def state_of(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run / "last.pt", weights_only=True)
    return state


def assert_same_parameters(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, second[name], msg=name)


def test_a_run_of_steps_ends_after_them_however_often_it_is_stopped(tmp_path: Path) -> None:
    train(batches=StoppingMaker(), val=(), run=tmp_path / "whole", config=TWO_STEPS)
    with pytest.raises(KeyboardInterrupt):
        train(batches=StoppingMaker(until=1), val=(), run=tmp_path / "parts", config=TWO_STEPS)
    assert state_of(tmp_path / "parts")["step"] == 1
    train(batches=StoppingMaker(), val=(), run=tmp_path / "parts", config=TWO_STEPS)
    whole, parts = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert whole["step"] == parts["step"] == 2
    assert_same_parameters(whole["network"], parts["network"])
    assert not (tmp_path / "whole" / "best.pt").exists(), "There were no val pictures to choose by."


def test_a_run_of_minutes_ends_after_them(folder: Path, tmp_path: Path) -> None:
    config = TrainingConfig(minutes=1e-6)
    train(batches=StoppingMaker(), val=read_labels(folder, split="val"), run=tmp_path, config=config)
    assert state_of(tmp_path)["step"] == 1
    assert torch.load(tmp_path / "best.pt", weights_only=True)["step"] == 1


def test_runs_of_one_seed_begin_with_the_same_weights(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        config = dataclasses.replace(STILL, seed=seed)
        train(batches=StoppingMaker(), val=(), run=tmp_path / name, config=config)
    first, same, other = (state_of(tmp_path / name)["network"] for name in "abc")
    assert_same_parameters(first, same)
    assert not torch.equal(first["model.0.conv.weight"], other["model.0.conv.weight"])


@pytest.mark.parametrize("kind", ["exported", "checkpoint"])
def test_a_run_can_begin_with_earlier_weights(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(9)
    earlier = build_detector_module(DetectorConfig()).state_dict()
    if kind == "exported":
        path = tmp_path / "earlier.safetensors"
        halves = {name: value.half() if value.ndim > 1 else value for name, value in earlier.items()}
        save_file({name: value.contiguous() for name, value in halves.items()}, path)
        earlier = {name: value.float() for name, value in halves.items()}
    else:
        path = tmp_path / "earlier.pt"
        torch.save({"average": earlier}, path)
    run = tmp_path / "run"
    train(batches=StoppingMaker(), val=(), run=run, config=STILL, begin_with=path)
    assert_same_parameters(state_of(run)["network"], earlier)
    assert_same_parameters(weights_in(run / "last.pt"), earlier)
    assert state_of(run)["begun_with"] == str(path)


def test_a_run_that_goes_on_does_not_begin_again(tmp_path: Path) -> None:
    train(batches=StoppingMaker(), val=(), run=tmp_path, config=STILL)
    before = state_of(tmp_path)
    config = dataclasses.replace(STILL, steps=2)
    train(batches=StoppingMaker(), val=(), run=tmp_path, config=config, begin_with=tmp_path / "no such file")
    after = state_of(tmp_path)
    assert (after["step"], after["begun_with"]) == (2, "")
    assert_same_parameters(before["network"], after["network"])


@pytest.mark.parametrize(
    ("config", "begin_with", "options"),
    [
        (TrainingConfig(minutes=82), None, "--minutes 82"),
        (TrainingConfig(steps=600), None, "--steps 600"),
        (
            TrainingConfig(minutes=98, learning_rate=5e-4),
            Path("weights/nano-objects.safetensors"),
            "--minutes 98 --begin-with weights/nano-objects.safetensors --learning-rate 0.0005",
        ),
    ],
)
def test_the_command_of_a_run_names_what_is_unusual(
    config: TrainingConfig, begin_with: Path | None, options: str
) -> None:
    command = train_command(config, begin_with=begin_with, threads=1)
    assert command == f"python -m training.detector train --data DATA {options} --threads 1"


def test_the_train_command_hands_its_options_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: dict[str, Any] = {}
    monkeypatch.setattr("training.detector.train", handed.update)
    options = ["--steps", "7", "--learning-rate", "1e-4", "--begin-with", "some.pt"]
    arguments = ["detector", "train", "--data", str(folder), "--run", str(tmp_path / "run"), *options]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert handed["begin_with"] == Path("some.pt")
    assert handed["config"] == TrainingConfig(steps=7, learning_rate=1e-4)
    assert len(handed["val"]) == 1
    command = (tmp_path / "run" / "command.txt").read_text(encoding="utf-8")
    assert "--steps 7 --begin-with some.pt --learning-rate 0.0001" in command


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


def test_coverage_is_the_share_of_pixels_in_masks_whose_boxes_are_met(folder: Path) -> None:
    recall = measure_recall(FakeDetector(), read_labels(folder))
    assert recall.coverage == pytest.approx(dict.fromkeys((10, 50, 100, 300), 40 * 20 / (60 * 80)))
    unmet = [
        dataclasses.replace(
            picture, boxes_xyxy=picture.boxes_xyxy + np.array([0, 18, 0, 18], dtype=np.float32)
        )
        for picture in read_labels(folder)
    ]
    assert measure_recall(FakeDetector(), unmet).coverage == dict.fromkeys((10, 50, 100, 300), 0.0)


def test_coverage_is_unknown_where_not_every_pixel_is_labelled(folder: Path) -> None:
    partial = [picture for picture in read_labels(folder) if not picture.exhaustive]
    assert np.isnan(measure_recall(FakeDetector(), partial).coverage[100])


def test_what_is_read_instead_of_a_picture_is_what_the_detector_sees(folder: Path) -> None:
    pictures = read_labels(folder)
    seen = []

    class Looking(FakeDetector):
        def detect(
            self, picture: Picture, *, confidence: float = 0.4, iou: float = 0.9, max_boxes: int = 320
        ) -> Detections:
            seen.append(int(picture.max()))
            return Detections()

    recall = measure_recall(Looking(), pictures, read=lambda p: np.zeros((*p.size_hw, 3), np.uint8))
    assert seen == [0] * len(pictures)
    assert recall.recall_at_half[300] == 0


def card(folder: Path, facts: dict[str, str], study: str = "") -> str:
    recall = measure_recall(FakeDetector(), read_labels(folder))
    given = {"command": "COMMAND", "steps": "12", "minutes": "3", "confidence_shift": "1.5"}
    return model_card(
        given | facts, recall, at_published=recall, command="EXPORT", megabytes=6.1, study=study
    )


def test_the_model_card_ends_with_the_study(folder: Path) -> None:
    plain = card(folder, {})
    assert card(folder, {}, "## A study\n") == f"{plain}\n## A study\n"


def test_the_model_card_says_what_a_run_began_with(folder: Path) -> None:
    assert "From random weights, 12 steps" in card(folder, {})
    assert "From random weights, 12 steps" in card(folder, {"begun_with": ""})
    assert "From the weights that `a.safetensors` held then, 12 steps" in card(
        folder, {"begun_with": "a.safetensors"}
    )
