"""The front door: a segmenter from names and paths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub import constants as hub_constants
from safetensors.torch import save_file

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.build import LeftUnset
from mobilesamv2.errors import MobileSamError, UnknownModelError, WeightsError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.models.detector.detector import DetectorConfig, ObjectDetector, build_detector_module
from mobilesamv2.models.nano.model import NanoConfig, NanoModel
from mobilesamv2.models.sam import Sam, SamConfig


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints of the embedded architectures, with random weights."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_file(NanoModel.from_config(NanoConfig()).state_dict(), folder / "mine.safetensors")
    save_file(build_detector_module(DetectorConfig()).state_dict(), folder / "objects.safetensors")
    return folder


def test_a_model_is_loaded_with_the_weights_and_the_detector_that_are_named(files: Path) -> None:
    model = mobilesamv2.load(
        "nano", weights=files / "mine.safetensors", detector=files / "objects.safetensors", device="cpu"
    )
    assert isinstance(model, mobilesamv2.Segmenter)
    assert model.name == "nano"
    assert model.device == torch.device("cpu")
    assert isinstance(model.detector, ObjectDetector)
    assert next(model.detector.parameters()).dtype == torch.float32


def test_model_and_detector_share_the_number_format(files: Path) -> None:
    model = mobilesamv2.load(
        weights=files / "mine.safetensors",
        detector=files / "objects.safetensors",
        device="cpu",
        dtype=torch.bfloat16,
    )
    assert isinstance(model.detector, ObjectDetector)
    assert {model.sam.dtype, next(model.detector.parameters()).dtype} == {torch.bfloat16}


def test_the_embedded_model_needs_no_name_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILESAMV2_OFFLINE", "1")
    model = mobilesamv2.load(device="cpu")
    assert model.name == "nano"
    assert model.has_detector


def test_without_a_network_a_published_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for name in ("MOBILESAMV2_OFFLINE", "HF_HUB_OFFLINE", "MOBILESAMV2_WEIGHTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WeightsError, match=r'^mobile_sam\.pt could not be fetched .*"nano", which needs no network\.$'):
        mobilesamv2.load("mobilesam", device="cpu")


def test_a_detector_that_is_not_here_is_missed_only_by_object_aware_sampling(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("MOBILESAMV2_OFFLINE", "1")
    monkeypatch.delenv("MOBILESAMV2_WEIGHTS_DIR", raising=False)
    with LeftUnset():
        config = zoo.MODELS["mobilesamv2-tinyvit"].config
        assert isinstance(config, SamConfig)
        sam = Sam.from_config(config)
    state = {name: torch.zeros_like(value) for name, value in sam.state_dict().items()}
    save_file(state, tmp_path / "tinyvit.safetensors")
    model = mobilesamv2.load(
        "mobilesamv2-tinyvit", weights=tmp_path / "tinyvit.safetensors", device="cpu", dtype=torch.bfloat16
    )
    assert model.has_detector
    embedding = mobilesamv2.Embedding(
        features=torch.zeros(1, 256, 64, 64, dtype=torch.bfloat16),
        resize=ResizeLongestSide((8, 8), 1024),
        timings={},
        model="mobilesamv2-tinyvit",
    )
    assert len(model.predict(embedding, boxes=[[1, 2, 6, 7]])) == 1
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"^ObjectAwareModel\.pt is not on this machine"):
            model.segment_everything(np.zeros((8, 8, 3), np.uint8), embedding=embedding)


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UnknownModelError, match="The models are: nano, mobilesam"):
        mobilesamv2.load("sam-vit-x")


def test_an_unknown_detector_is_answered_with_the_names_there_are(files: Path) -> None:
    with pytest.raises(UnknownModelError, match="The detectors are: nano-objects"):
        mobilesamv2.load(weights=files / "mine.safetensors", detector="everything", device="cpu")


def test_a_device_that_is_not_there_is_refused_before_anything_is_read() -> None:
    with pytest.raises(MobileSamError, match='no device "tpu"'):
        mobilesamv2.load(weights="nowhere.pt", device="tpu")


def test_both_samplers_find_something_with_the_embedded_model() -> None:
    segmenter = mobilesamv2.load()
    photo = Path(__file__).parents[1] / "examples" / "images" / "cat.png"
    objects = segmenter.segment_everything(photo, max_prompts=8)
    grid = segmenter.segment_everything(photo, sampler="grid", points_per_side=8)
    assert len(objects.masks) == len(objects.prompts) == 8
    assert len(grid.masks) > 0
