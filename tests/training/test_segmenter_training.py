"""Batches without photographs, the losses, and one step of training on a crop."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors import safe_open

from mobilesamv2.build import build_sam
from mobilesamv2.models.nano.model import OUTSIDE, NanoConfig, NanoModel
from mobilesamv2.models.nano.windows import pasted
from training import crops, segmenter
from training.checkpoints import save
from training.coco_data import LabelledPicture
from training.crops import MASK_STRIDE, Batch, CropDataset, _filled_boxes_in, _points
from training.earlier_nano import widened
from training.losses import box_only_loss
from training.segmenter import export, loss_of, schedule
from training.trainee import DEVIATION, MEAN, _drawn_side, answer


@pytest.fixture(autouse=True, scope="module")
def small_crops() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "CROP_SIZES", (crops.CropSize(128, 1, 1.0),))
        yield


@pytest.fixture(scope="module")
def dataset(small_crops: None) -> CropDataset:
    return CropDataset([], seed=3, steps=10, prompts_per_crop=6)


@pytest.fixture(scope="module")
def batch(dataset: CropDataset) -> Batch:
    """One drawn scene with six prompts."""
    return dataset[0]


def test_a_batch_depends_on_the_seed_and_its_number_alone(dataset: CropDataset) -> None:
    again = CropDataset([], seed=3, steps=10, prompts_per_crop=6)
    for name, value in vars(dataset[1]).items():
        assert torch.equal(value, getattr(again[1], name)), name
    assert not torch.equal(dataset[1].pixels[0], dataset[0].pixels[0])


def test_every_prompt_lies_on_its_mask(batch: Batch) -> None:
    assert batch.has_mask.all()
    assert batch.is_box.tolist() == [True] * 3 + [False] * 3
    for points, labels, target, is_box in zip(batch.points, batch.labels, batch.targets, batch.is_box, strict=True):
        assert is_box or labels[0] == 1
        for point, label in zip(points, labels, strict=True):
            column, row = ((point + 0.5) / MASK_STRIDE).long().tolist()
            assert label == -1 or target[row, column] == label


@pytest.mark.parametrize(("share", "boxes"), [(0.0, 0), (0.5, 3), (1.0, 6)])
def test_the_share_of_boxes_among_prompts_is_chosen(small_crops: None, share: float, boxes: int) -> None:
    chosen = CropDataset([], seed=3, steps=1, prompts_per_crop=6, box_share=share)[0]
    assert int(chosen.is_box.sum()) == boxes


def test_windows_around_points_are_shares_of_the_crop_half_of_the_time_else_up_to_the_whole_input() -> None:
    torch.manual_seed(0)
    sides = torch.tensor([_drawn_side(256, 704) for _ in range(400)])
    assert 0.4 < (sides == 256).float().mean() < 0.6
    assert sides.min() == 256
    assert 600 < sides.max() <= 704


def test_extra_points_lie_on_the_mask_or_beside_it() -> None:
    mask = np.zeros((64, 64), dtype=np.uint8)
    mask[20:40, 10:30] = 1
    mask[25:30, 15:25] = 0
    seen = set()
    for seed in range(60):
        points, labels = _points(np.random.default_rng(seed), mask, beside_box=seed % 2 == 0)
        assert bool(labels[0] == 1) == (seed % 2 == 1)
        for (x, y), label in zip((points + 0.5) / MASK_STRIDE, labels, strict=True):
            assert label == -1 or mask[int(y), int(x)] == label
        seen.add(tuple(labels))
    assert len(seen) > 6


@pytest.fixture(scope="module")
def model() -> NanoModel:
    torch.manual_seed(0)
    return NanoModel(NanoConfig()).train()


def test_a_step_gives_finite_losses_and_reaches_every_weight(batch: Batch, model: NanoModel) -> None:
    loss, numbers = loss_of(model, batch, torch.float32)
    loss.backward()
    assert all(np.isfinite(value) for value in numbers.values())
    # A key's bias adds the same to all scores of a query, but is part of one tensor with others. ImageNet's stay.
    idle = {name for name, value in model.named_parameters() if value.grad is None}
    assert idle == {name for name, value in model.named_parameters() if not value.requires_grad}
    assert all(name.startswith("image_encoder.pretrained.") for name in idle)


def test_in_training_and_in_use_a_box_has_the_same_mask(batch: Batch, model: NanoModel) -> None:
    """Training never pastes a mask into the picture; a model in use gets the same prompts and pictures."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        answers = answer(model, batch)
        pixels = (batch.pixels.float() - MEAN) / DEVIATION * batch.inside
        boxes: dict[str, Any] = {
            "boxes_xyxy": batch.boxes_xyxy[:3],
            "points": batch.points[:3],
            "labels": batch.labels[:3],
        }
        masks, iou = model.decode(model.encode(pixels), multimask=False, **boxes)
        whole = pasted(
            answers.logits[:3],
            answers.windows[:3],
            size_hw=(masks.shape[2], masks.shape[3]),
            stride=MASK_STRIDE,
            outside=OUTSIDE,
        )
    same = ~answers.has_prior[:3]
    assert same.any()
    torch.testing.assert_close(masks[same, 0], whole[same], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(iou[same, 0], answers.iou[:3][same], atol=1e-3, rtol=0)


def test_a_box_alone_prefers_the_mask_that_follows_the_colours() -> None:
    box = torch.zeros(1, 64, 64)
    box[:, 11:53, 11:53] = 1
    disc = ((torch.arange(64)[:, None] - 31.5) ** 2 + (torch.arange(64) - 31.5) ** 2 < 21**2)[None]
    colours = torch.where(disc[:, ::2, ::2], 200.0, 40.0)[:, None].expand(1, 3, 32, 32)
    of_disc = box_only_loss(disc * 12.0 - 6, box, colours)
    of_box = box_only_loss(box * 12.0 - 6, box, colours)
    of_nothing = box_only_loss(torch.full((1, 64, 64), -6.0), box, colours)
    assert of_disc < of_box
    assert of_disc < of_nothing


def test_boxes_without_masks_are_filled_where_they_are_large_and_whole() -> None:
    class Labelled:  # what is read of a `LabelledPicture`
        boxes_xyxy = np.array(
            [[10, 20, 60, 90], [0, 0, 5, 5], [80, 80, 200, 120]], dtype=np.float32
        )  # one good, one small, one cut

    labelled = cast(LabelledPicture, Labelled())
    found = _filled_boxes_in(np.random.default_rng(0), labelled, (0, 0, 128, 128), 128, limit=6)
    assert len(found) == 1
    rows, columns = np.nonzero(found[0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (5, 10, 30, 45)


def test_the_learning_rate_only_falls_after_its_warm_up() -> None:
    rates = [schedule(step / 100) for step in range(101)]
    assert rates[0] == 1
    assert rates[100] == pytest.approx(0, abs=1e-9)
    assert all(after < before for before, after in pairwise(rates))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder without photographs: all crops are drawn scenes."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "annotations.json").write_text('{"images": [], "annotations": []}')
    return tmp_path / "data"


def test_a_run_that_is_stopped_goes_on_as_if_it_was_not_and_its_export_is_loaded(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = NanoModel(NanoConfig()).image_encoder.pretrained.network.state_dict()
    monkeypatch.setattr(segmenter, "read_package", lambda: own)
    monkeypatch.setattr(segmenter, "translate", lambda state: state)
    monkeypatch.setattr(segmenter, "fastest_dtype", lambda model, batch: torch.float32)

    def train(run: str, steps: int, of: int) -> dict[str, Any]:
        # the rate depends on how many steps there are in all
        monkeypatch.setattr(segmenter, "schedule", lambda progress: 1 - progress * steps / of)
        segmenter.train(
            data=data,
            run=tmp_path / run,
            minutes=1000,
            steps=steps,
            seed=1,
            threads=torch.get_num_threads(),
            workers=0,
            device="cpu",
            begin_with=None,
            learning_rate=1e-3,
        )
        return dict(torch.load(tmp_path / run / "checkpoint.pt", weights_only=True))

    whole = train("whole", 3, of=3)
    train("stopped", 1, of=3)
    resumed = train("stopped", 3, of=3)
    assert resumed["step"] == 3
    for part in ("model", "averaged"):
        for name, value in whole[part].items():
            torch.testing.assert_close(resumed[part][name], value, msg=name)
    export(run=[tmp_path / "stopped"], into=tmp_path / "mine.safetensors")
    loaded = build_sam("nano", weights=tmp_path / "mine.safetensors", device="cpu", dtype=torch.float32)
    for name, value in loaded.state_dict().items():
        torch.testing.assert_close(value, resumed["averaged"][name], atol=1e-3, rtol=1e-3, check_dtype=False)


def test_a_mask_head_alone_is_trained_from_random_weights_on_an_encoder_that_stays(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = NanoModel(NanoConfig())
    monkeypatch.setattr(segmenter, "read_package", lambda: own.image_encoder.pretrained.network.state_dict())
    monkeypatch.setattr(segmenter, "translate", lambda state: state)
    monkeypatch.setattr(segmenter, "fastest_dtype", lambda model, batch: torch.float32)
    save(tmp_path / "earlier.pt", averaged=own.state_dict())
    segmenter.train(
        data=data,
        run=tmp_path / "run",
        minutes=0,
        steps=1,
        seed=1,
        threads=torch.get_num_threads(),
        workers=0,
        device="cpu",
        begin_with=tmp_path / "earlier.pt",
        learning_rate=1e-3,
        head_only=True,
    )
    trained = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["model"]
    for name, value in own.state_dict().items():
        is_encoder = name.startswith("image_encoder.")
        assert not is_encoder or torch.equal(trained[name], value), name
    assert not torch.equal(trained["mask_head.leave.weight"], own.state_dict()["mask_head.leave.weight"])
    # The rate of one step is 1 % of 1e-3: far too little to come from one head's random weights to another's.
    away = (trained["mask_head.leave.weight"] - own.state_dict()["mask_head.leave.weight"]).abs().mean()
    assert away > 1e-3


def test_the_first_versions_weights_are_widened_without_changing_what_they_compute(model: NanoModel) -> None:
    """Its layers begin with the same first channels, and nothing of the new ones leads to them."""
    own = model.state_dict()
    old = {
        "prompt_encoder.windows.fine.0.weight": torch.randn(32, 32, 3, 3),
        "prompt_encoder.windows.enter.weight": torch.randn(32, 37, 3, 3),
        "prompt_encoder.windows.leave.bias": torch.randn(4),
        "mask_decoder.iou_token.weight": torch.randn(1, 96),
    }
    state = widened(old, own)
    fine = state["mask_head.fine.0.weight"]
    assert torch.equal(fine[:32, :32], old["prompt_encoder.windows.fine.0.weight"])
    assert (fine[:32, 32:] == 0).all()
    assert torch.equal(fine[32:], own["mask_head.fine.0.weight"][32:])
    enter, detail = state["mask_head.enter.weight"], model.config.encoder.detail_width
    assert torch.equal(enter[:32, :32], old["prompt_encoder.windows.enter.weight"][:, :32])
    assert torch.equal(enter[:32, detail:], old["prompt_encoder.windows.enter.weight"][:, 32:])
    assert (enter[:32, 32:detail] == 0).all()
    assert state.keys() == own.keys()
    assert (state["mask_head.read_parts.weight"] == 0).all()


def test_a_run_of_this_version_is_begun_with_as_it_is(model: NanoModel) -> None:
    own = model.state_dict()
    again = widened({name: value + 1 for name, value in own.items()}, own)
    assert all(torch.equal(again[name], value + 1) for name, value in own.items())


def test_of_several_runs_the_mean_is_exported(tmp_path: Path) -> None:
    """Whole numbers, which count batches, are those of the first run."""
    for run, value, step in (("one", 1.0, 100), ("other", 2.0, 150)):
        (tmp_path / run).mkdir()
        averaged = {"layer.weight": torch.full((2,), value), "norm.num_batches_tracked": torch.tensor(step)}
        save(tmp_path / run / "checkpoint.pt", averaged=averaged, step=step, spent=60.0 * step)
    export(run=[tmp_path / "one", tmp_path / "other"], into=tmp_path / "mean.safetensors")
    with safe_open(tmp_path / "mean.safetensors", "pt") as file:
        assert file.get_tensor("layer.weight").tolist() == [1.5, 1.5]
        assert file.get_tensor("layer.weight").dtype == torch.float16
        assert file.get_tensor("norm.num_batches_tracked") == 100
        assert {name: file.metadata()[name] for name in ("steps", "minutes")} == {
            "steps": "250",
            "minutes": "250.0",
        }
