"""A tiny encoder learns the embeddings of a synthetic teacher, on pictures made here."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.errors import MobileSamError, PromptError
from mobilesamv2.models.encoders.vit import VitConfig
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoderConfig
from mobilesamv2.models.sam import SamConfig
from tests.tiny import TINY, picture, tiny_sam
from training import distillation
from training.distillation import Embeddings, Settings, export, find_photographs, order_of, train

TEACHER = dataclasses.replace(
    TINY,
    encoder=VitConfig(
        width=16, depth=2, heads=2, out_width=16, input_side=64, patch_side=8, window=4, global_blocks=(1,)
    ),
)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two models of the zoo: a teacher with another architecture and weights, a student without."""
    mobilesam = zoo.MODELS["mobilesam"]
    for name, config in (("teacher", TEACHER), ("student", TINY)):
        monkeypatch.setitem(zoo.MODELS, name, dataclasses.replace(mobilesam, name=name, config=config))
    path = tmp_path / "teacher.safetensors"
    save_file({name: value.contiguous() for name, value in tiny_sam(TEACHER).state_dict().items()}, path)
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five pictures in folders, beside a file that is none."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for number in range(5):
        Image.fromarray(picture(seed=number)).save(folder / ("more" if number > 2 else "") / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture
def settings(models: Path, photographs: Path) -> Settings:
    return Settings("teacher", "student", str(photographs), teacher_weights=str(models), batch=2, learning_rate=3e-3)


def encoder_and_step(run: Path) -> tuple[dict[str, Tensor], int]:
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    return state["encoder"], state["step"]


def test_the_student_learns_and_the_model_is_loaded_by_its_name(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distillation, "WARM_UP_STEPS", 5)
    train(settings, run=tmp_path / "short", minutes=1, steps=1)
    train(settings, run=tmp_path / "long", minutes=1, steps=40)
    before = export(run=tmp_path / "short", into=tmp_path / "short.safetensors")
    after = export(run=tmp_path / "long", into=tmp_path / "student.safetensors")
    assert before.photographs == after.photographs == 1
    assert after.explained > before.explained + 0.15

    model = mobilesamv2.load("student", weights=tmp_path / "student.safetensors", device="cpu")
    masks = model.predict(model.encode(picture()), points=[[20, 20]], multimask=True)
    assert len(masks) <= 3
    card = (tmp_path / "student.md").read_text()
    assert "distilled from teacher" in card
    assert f"{after.mask_iou:.3f}" in card
    assert "40 steps" in card


def test_the_decoder_is_the_teachers(settings: Settings, models: Path, tmp_path: Path) -> None:
    train(settings, run=tmp_path / "run", minutes=1, steps=1)
    export(run=tmp_path / "run", into=tmp_path / "student.safetensors")
    written, teacher = load_file(tmp_path / "student.safetensors"), load_file(models)
    for name, value in teacher.items():
        if not name.startswith("image_encoder."):
            assert torch.equal(written[name], value.half() if value.is_floating_point() else value), name


def test_a_run_that_was_stopped_ends_where_it_would_have(settings: Settings, tmp_path: Path) -> None:
    train(settings, run=tmp_path / "whole", minutes=1, steps=6)

    class StoppedError(Exception):
        pass

    asked = []

    def stop_at_the_eighth(self: Embeddings, index: int) -> Tensor:
        asked.append(index)
        if len(asked) == 8:
            raise StoppedError
        return plain(self, index)

    plain = Embeddings.of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distillation, "CHECKPOINT_STEPS", 1)
        patch.setattr(Embeddings, "of", stop_at_the_eighth)
        with pytest.raises(StoppedError):
            train(settings, run=tmp_path / "parts", minutes=1, steps=6)
    assert encoder_and_step(tmp_path / "parts")[1] == 3
    train(settings, run=tmp_path / "parts", minutes=1, steps=6)
    whole, parts = encoder_and_step(tmp_path / "whole"), encoder_and_step(tmp_path / "parts")
    assert whole[1] == parts[1] == 6
    for name, value in whole[0].items():
        assert torch.allclose(value, parts[0][name], atol=1e-6), name


def test_embeddings_are_kept_and_used_again(settings: Settings, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    train(settings, run=tmp_path / "run", minutes=1, steps=4, embeddings=kept)
    assert sorted(path.name for path in kept.iterdir()) == [f"{index:08d}.npy" for index in range(4)]
    for path in kept.iterdir():
        np.save(path, np.zeros_like(np.load(path)))
    photographs = find_photographs(tmp_path / "photographs")[0]
    wanted = Embeddings(tiny_sam(TEACHER), photographs, kept).of(2)
    assert wanted.shape == (1, 16, 8, 8)
    assert not wanted.any()


def test_a_photograph_that_cannot_be_read_is_named_and_left_out(
    settings: Settings, tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photographs / "1.png").write_bytes(b"no picture")
    train(settings, run=tmp_path / "run", minutes=1, steps=2)
    assert "left out" in capsys.readouterr().out
    assert encoder_and_step(tmp_path / "run")[1] == 2


def test_every_epoch_has_every_photograph_once_in_another_order() -> None:
    order = order_of(5, seed=1)
    first, second = [next(order) for _ in range(5)], [next(order) for _ in range(5)]
    assert sorted(first) == sorted(second) == list(range(5))
    assert first != second
    later = order_of(5, seed=1, begin=7)
    assert [next(later) for _ in range(3)] == second[2:]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"teacher": "nano"}, "mask head of its own"),
        ({"student": "wide"}, "embeddings of teacher and wide differ"),
    ],
)
def test_models_that_do_not_fit_are_refused(
    settings: Settings,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    sentence: str,
) -> None:
    wide = SamConfig(
        encoder=dataclasses.replace(TINY.encoder, out_width=24),
        prompt_encoder=PromptEncoderConfig(width=24, input_side=64, stride=8),
        mask_decoder=dataclasses.replace(TINY.mask_decoder, width=24),
    )
    monkeypatch.setitem(zoo.MODELS, "wide", dataclasses.replace(zoo.MODELS["student"], name="wide", config=wide))
    with pytest.raises(PromptError, match=sentence):
        train(dataclasses.replace(settings, **change), run=tmp_path / "run", minutes=1, steps=1)


def test_a_run_with_other_settings_and_an_empty_folder_are_refused(settings: Settings, tmp_path: Path) -> None:
    train(settings, run=tmp_path / "run", minutes=1, steps=1)
    with pytest.raises(MobileSamError, match="holds another run"):
        train(dataclasses.replace(settings, batch=3), run=tmp_path / "run", minutes=1, steps=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MobileSamError, match="0 photographs"):
        find_photographs(tmp_path / "empty")


def test_the_command_line_trains_exports_and_says_what_is_wrong(
    settings: Settings, models: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, into = str(tmp_path / "run"), str(tmp_path / "student.safetensors")
    named = [
        "--teacher",
        "teacher",
        "--student",
        "student",
        "--photographs",
        str(photographs),
        "--device",
        "cpu",
    ]
    arguments = ["train", *named, "--teacher-weights", str(models), "--steps", "1", "--run", run]
    distillation.main(arguments)
    distillation.main(["export", "--run", run, "--into", into, "--device", "cpu"])
    assert "student.safetensors" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        distillation.main(["export", "--run", str(tmp_path / "nowhere"), "--into", into])
    assert "train first" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name, entry in zoo.MODELS.items() if isinstance(entry.config, SamConfig)])
def test_any_model_of_sams_family_can_teach_any_other(name: str) -> None:
    """Their embeddings have one shape."""
    config = zoo.MODELS[name].config
    assert isinstance(config, SamConfig)
    assert config.encoder.out_width == config.prompt_encoder.width == 256
    assert config.prompt_encoder.embedding_side == 64
