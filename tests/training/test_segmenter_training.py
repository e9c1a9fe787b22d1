"""Batches without photographs, the losses, and one step of training on a crop."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors import safe_open

from training import crops
from training.checkpoints import save
from training.crops import MASK_STRIDE, CropDataset, _filled_boxes_in
from training.losses import box_only_loss, guess_loss, loss_of, window_loss
from training.segmenter import export, schedule
from training.trainee import Trainee


@pytest.fixture(autouse=True, scope="module")
def small_crops():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crops, "CROP_SIZES", (crops.CropSize(128, 1, 1.0),))
        yield


@pytest.fixture(scope="module")
def dataset(small_crops):
    return CropDataset([], seed=3, steps=10, prompts_per_crop=6)


@pytest.fixture(scope="module")
def batch(dataset):
    """One drawn scene with six prompts."""
    return dataset[0]


def test_a_batch_depends_on_the_seed_and_its_number_alone(dataset):
    again = CropDataset([], seed=3, steps=10, prompts_per_crop=6)
    for name, value in vars(dataset[1]).items():
        assert torch.equal(value, getattr(again[1], name)), name
    assert not torch.equal(dataset[1].pixels[0], dataset[0].pixels[0])


def test_every_prompt_lies_on_its_mask(batch):
    assert batch.has_mask.all()
    assert batch.is_box.tolist() == [True] * 4 + [False] * 2
    for point, target in zip(batch.points[:, 0], batch.targets, strict=True):
        column, row = ((point + 0.5) / MASK_STRIDE).long().tolist()
        assert target[row, column] == 1


def test_a_step_gives_finite_losses_and_reaches_every_weight(batch):
    torch.manual_seed(0)
    model = Trainee(decoded_cells=32 * 32 * 4)
    answers = model(batch)
    assert answers.decoded is not None
    guessed, numbers = window_loss(answers, batch)
    decoded, more = loss_of(answers.decoded, batch.prompts(answers.decoded.index))
    (guess_loss(answers.cells, batch) + guessed + decoded).backward()
    assert all(np.isfinite(value) for value in (numbers | more).values())
    # What a published model needs for other prompts is all that may be without a gradient.
    # A key's bias adds the same to all scores of a query.
    idle = {name for name, value in model.named_parameters() if value.grad is None}
    assert {name for name in idle if not name.endswith("k_proj.bias")} == {
        "prompt_encoder.no_mask_embed.weight"
    }


def test_the_decoder_can_rest(batch):
    model = Trainee(decoded_cells=0)
    assert model(batch).decoded is None


def test_a_box_alone_prefers_the_mask_that_follows_the_colours():
    box = torch.zeros(1, 64, 64)
    box[:, 11:53, 11:53] = 1
    disc = ((torch.arange(64)[:, None] - 31.5) ** 2 + (torch.arange(64) - 31.5) ** 2 < 21**2)[None]
    colours = torch.where(disc[:, ::2, ::2], 200.0, 40.0)[:, None].expand(1, 3, 32, 32)
    of_disc = box_only_loss(disc * 12.0 - 6, box, colours)
    of_box = box_only_loss(box * 12.0 - 6, box, colours)
    of_nothing = box_only_loss(torch.full((1, 64, 64), -6.0), box, colours)
    assert of_disc < of_box
    assert of_disc < of_nothing


def test_boxes_without_masks_are_filled_where_they_are_large_and_whole():
    class Labelled:  # what is read of a `LabelledPicture`
        boxes_xyxy = np.array(
            [[10, 20, 60, 90], [0, 0, 5, 5], [80, 80, 200, 120]], dtype=np.float32
        )  # one good, one small, one cut

    found = _filled_boxes_in(np.random.default_rng(0), Labelled(), (0, 0, 128, 128), 128, limit=6)
    assert len(found) == 1
    rows, columns = np.nonzero(found[0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (5, 10, 30, 45)


def test_the_learning_rate_falls_and_rises_once_for_the_decoder():
    rates = [schedule(step / 100) for step in range(101)]
    assert rates[0] == 1
    assert rates[100] == pytest.approx(0, abs=1e-9)
    rises = [index for index, (before, after) in enumerate(pairwise(rates)) if after > before]
    assert rises == [79]


def test_of_several_runs_the_mean_is_exported(tmp_path):
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
