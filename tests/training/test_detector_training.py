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

from mobilesamv2.build import build_detector
from mobilesamv2.models.detector.config import LITE_CONFIG
from mobilesamv2.models.detector.detector import Detections, ObjectDetector
from mobilesamv2.models.detector.lite import LiteDetector
from mobilesamv2.models.efficientnet_lite import EfficientNetLite
from mobilesamv2.types import Picture
from training.coco_data import LabelledPicture, read_labels, read_picture
from training.detector import (
    TrainingConfig,
    faster_dtype,
    freeze,
    main,
    train,
    train_command,
    train_mode,
    weights_in,
)
from training.detector_batches import SCENES, Batch, BatchMaker, Mix, augment, stream
from training.detector_data import kept_out, training_pictures
from training.detector_export import (
    as_detector,
    confidence_shift,
    export,
    recall_table,
    shift_confidence,
    stored,
)
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
    maker = BatchMaker(
        read_labels(folder, split="train"), mix=MIX, sides=(64, 96), seed=5, pixels=6 * 64 * 64
    )
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
def test_unlabelled_places_count_as_their_source_says(
    folder: Path, kind: str, weight: float, mosaic: float
) -> None:
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


class StoppingMaker(BatchMaker):
    """Makes the batches of drawn scenes until it is asked for number `until`."""

    def __init__(self, *, until: int = 10) -> None:
        super().__init__([], mix=SCENES_ONLY, sides=(64,), seed=5, pixels=1)
        self.until = until

    def __getitem__(self, number: int) -> Batch:
        if number == self.until:
            raise KeyboardInterrupt
        return super().__getitem__(number)


TWO_STEPS = TrainingConfig(steps=2, checkpoint_every_minutes=0.0, loaders=0)
STILL = TrainingConfig(steps=1, learning_rate=0.0, loaders=0)
"""Changes no parameter; the statistics of batch norms move all the same."""


def unprepared(backbone: EfficientNetLite) -> None:
    """Leave the random weights: the tests need no package."""


def state_of(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run / "last.pt", weights_only=True)
    return state


def assert_same_parameters(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        if "running_" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, second[name], msg=name)


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which type is faster may change from run to run; what is compared here must not."""
    monkeypatch.setattr("training.detector.faster_dtype", lambda *_: torch.float32)


def test_a_run_of_steps_ends_after_them_however_often_it_is_stopped(tmp_path: Path) -> None:
    train(batches=StoppingMaker(), run=tmp_path / "whole", config=TWO_STEPS, prepare=unprepared)
    with pytest.raises(KeyboardInterrupt):
        train(batches=StoppingMaker(until=1), run=tmp_path / "parts", config=TWO_STEPS, prepare=unprepared)
    assert state_of(tmp_path / "parts")["step"] == 1
    train(batches=StoppingMaker(), run=tmp_path / "parts", config=TWO_STEPS)
    whole, parts = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert whole["step"] == parts["step"] == 2
    assert_same_parameters(whole["network"], parts["network"])


def test_a_run_of_minutes_ends_after_them(tmp_path: Path) -> None:
    config = TrainingConfig(minutes=1e-6, loaders=0)
    train(batches=StoppingMaker(), run=tmp_path, config=config, prepare=unprepared)
    assert state_of(tmp_path)["step"] == 1


def test_training_leaves_the_first_stages_and_the_statistics_of_the_backbone(tmp_path: Path) -> None:
    began: dict[str, Tensor] = {}

    def prepare(backbone: EfficientNetLite) -> None:
        began.update({name: value.clone() for name, value in backbone.state_dict().items()})

    train(batches=StoppingMaker(), run=tmp_path, config=TWO_STEPS, prepare=prepare)
    ended = state_of(tmp_path)["network"]
    changed = {name for name, value in began.items() if not torch.equal(value, ended[f"model.0.{name}"])}
    assert changed
    assert all(name.startswith(("stages.3", "stages.4", "stages.5", "stages.6")) for name in changed)
    assert not any("running_" in name or "num_batches" in name for name in changed)


def test_choosing_the_type_leaves_the_network_as_it_was() -> None:
    network = LiteDetector()
    freeze(network.backbone, stages=1)
    train_mode(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert faster_dtype(network, torch.device("cpu"), side=64) in (torch.float32, torch.bfloat16)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("kind", ["exported", "checkpoint"])
def test_a_run_can_begin_with_earlier_weights(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(9)
    earlier = LiteDetector().state_dict()
    if kind == "exported":
        path = tmp_path / "earlier.safetensors"
        save_file(stored(earlier), path)
        earlier = {name: value.half().float() if value.ndim > 1 else value for name, value in earlier.items()}
    else:
        path = tmp_path / "earlier.pt"
        torch.save({"average": earlier}, path)
    run = tmp_path / "run"
    train(batches=StoppingMaker(), run=run, config=STILL, begin_with=path)
    assert_same_parameters(state_of(run)["network"], earlier)
    assert_same_parameters(weights_in(run / "last.pt"), earlier)
    assert state_of(run)["begun_with"] == str(path)


def test_a_run_that_goes_on_does_not_begin_again(tmp_path: Path) -> None:
    train(batches=StoppingMaker(), run=tmp_path, config=STILL, prepare=unprepared)
    before = state_of(tmp_path)
    config = dataclasses.replace(STILL, steps=2)
    train(batches=StoppingMaker(), run=tmp_path, config=config, begin_with=tmp_path / "no such file")
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
    command = (tmp_path / "run" / "command.txt").read_text(encoding="utf-8")
    assert "--steps 7 --begin-with some.pt --learning-rate 0.0001" in command


class FakeDetector(ObjectDetector):
    """Finds 30 boxes in every picture, with falling scores."""

    def __init__(self) -> None:
        super().__init__(LiteDetector())

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        scores = np.linspace(0.3, 0.01, 30, dtype=np.float32)[:max_boxes]
        return Detections(
            boxes_xyxy=np.tile(np.array([10, 20, 50, 40], dtype=np.float32), (len(scores), 1)), scores=scores
        )


def test_calibration_lifts_the_wanted_number_of_boxes_above_the_threshold(folder: Path) -> None:
    fake = FakeDetector()
    shift = confidence_shift(fake, read_labels(folder), boxes_per_picture=20)
    logits = torch.logit(torch.from_numpy(np.linspace(0.3, 0.01, 30, dtype=np.float32)))
    before, after = torch.sigmoid(logits), torch.sigmoid(logits + shift + 1e-4)
    assert int((before > 0.4).sum()) == 0
    assert int((after > 0.4).sum()) == 20


def test_shifting_confidence_moves_every_logit_and_no_box() -> None:
    network = LiteDetector()
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = as_detector(network)(picture)
        shift_confidence(network, 9.0)
        after = as_detector(network)(picture)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    torch.testing.assert_close(torch.logit(after[:, 4]), torch.logit(before[:, 4]) + 9, atol=1e-2, rtol=0)


def test_recall_counts_labels_that_some_box_meets(folder: Path) -> None:
    recall = measure_recall(FakeDetector(), read_labels(folder), confidence=0.195)
    assert recall.recall_at_half == {10: 1.0, 100: 1.0, 300: 1.0}
    assert recall.average_recall[300] == pytest.approx((3 * 1.0 + 0.9 + 0.1 - 0.1) / 4, abs=0.06)
    assert recall.boxes_per_picture == 11
    assert np.isnan(recall.by_size[300]["small"])
    assert recall.by_size[300]["large"] == recall.average_recall[300]
    assert recall.precision == 1.0


def test_precision_is_measured_where_everything_is_labelled(folder: Path) -> None:
    partial = [picture for picture in read_labels(folder) if not picture.exhaustive]
    assert np.isnan(measure_recall(FakeDetector(), partial, confidence=0.1).precision)
    moved = [
        dataclasses.replace(
            picture, boxes_xyxy=picture.boxes_xyxy + np.array([0, 18, 0, 18], dtype=np.float32)
        )
        for picture in read_labels(folder)
    ]
    assert measure_recall(FakeDetector(), moved, confidence=0.1).precision == 0.0


def test_what_is_read_instead_of_a_picture_is_what_the_detector_sees(folder: Path) -> None:
    pictures = read_labels(folder)
    seen = []

    class Looking(FakeDetector):
        def detect(
            self,
            picture: Picture,
            *,
            confidence: float = 0.4,
            iou: float | None = None,
            max_boxes: int = 320,
        ) -> Detections:
            seen.append(int(picture.max()))
            return Detections()

    recall = measure_recall(Looking(), pictures, read=lambda p: np.zeros((*p.size_hw, 3), np.uint8))
    assert seen == [0] * len(pictures)
    assert recall.recall_at_half[300] == 0


def test_a_table_has_a_row_for_each_set(folder: Path) -> None:
    recall = measure_recall(FakeDetector(), read_labels(folder))
    table = recall_table({"val": recall, "small": recall})
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) == 4
    assert len({line.count("|") for line in table.splitlines()[:4]}) == 1


def test_exported_weights_are_read_back_as_what_they_are(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    train(batches=StoppingMaker(), run=run, config=STILL, prepare=unprepared)
    (run / "command.txt").write_text("TRAINED SO\n", encoding="utf-8")
    monkeypatch.setattr("training.detector_export.SETS", ("val",))
    monkeypatch.setattr("training.detector_export.CALIBRATION_SETS", ("val",))
    path = tmp_path / "weights.safetensors"
    export(data=folder, checkpoint=run / "last.pt", weights=path, boxes_per_picture=20, command="EXPORTED SO")
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    for said in ("TRAINED SO", "EXPORTED SO", "From ImageNet features, 1 steps", "| `val` |"):
        assert said in card
    found = build_detector(path, device="cpu")
    config = LITE_CONFIG
    assert (found.input_side, found.second_side) == (config.input_side, config.second_side)
    trained = LiteDetector()
    trained.load_state_dict(state_of(run)["average"])
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(
            found(picture)[:, :4], as_detector(trained)(picture)[:, :4], rtol=1e-2, atol=0.5
        )
