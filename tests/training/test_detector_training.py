from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from mobilesamv2.build import build_detector
from mobilesamv2.models.detector.config import LITE_CONFIG
from mobilesamv2.models.detector.detector import Detections, ObjectDetector
from mobilesamv2.models.detector.lite import LiteDetector
from mobilesamv2.models.efficientnet_lite import EfficientNetLite
from mobilesamv2.types import Picture
from training.coco_data import read_labels
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
from training.detector_batches import SCENES, Batch, BatchMaker, Mix
from training.detector_export import (
    as_detector,
    confidence_shift,
    export,
    recall_table,
    shift_confidence,
    stored,
)
from training.detector_recall import measure_recall

SCENES_ONLY = Mix(shares={SCENES: 1.0})


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


def test_the_train_command_hands_its_options_on(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        dataclasses.replace(picture, boxes_xyxy=picture.boxes_xyxy + np.array([0, 18, 0, 18], dtype=np.float32))
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
        torch.testing.assert_close(found(picture)[:, :4], as_detector(trained)(picture)[:, :4], rtol=1e-2, atol=0.5)
