"""Every row of the zoo from a checkpoint in its official form, filled with synthetic weights.

The networks of TinyViT, of EfficientViT-L0 and of the decoder have their real sizes; the larger encoders stand in small
ones of the same kind for loading, and their keys and shapes are compared at their real sizes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import mobilesamv2
from mobilesamv2 import zoo
from mobilesamv2.build import LeftUnset, build_detector
from mobilesamv2.errors import WeightsError
from mobilesamv2.models.detector.detector import ObjectDetector
from mobilesamv2.models.encoders.efficientvit import EfficientVitConfig
from mobilesamv2.models.encoders.vit import VitConfig
from mobilesamv2.models.sam import Sam, SamConfig
from mobilesamv2.weights import convert
from mobilesamv2.zoo import Form
from tests.detector_checkpoints import object_aware_network, published_network, save_checkpoint
from tests.models.conftest import RECORDED_ENCODERS, recorded_pixels  # noqa: F401
from tests.parity.synthetic_weights import FOLDER, manifest_of, part_of, synthetic_state

State = dict[str, Tensor]

SMALL_VIT = VitConfig(width=32, depth=2, heads=2, global_blocks=(1,), window=7)
SMALL_EFFICIENTVIT = EfficientVitConfig(
    widths=(8, 8, 8, 16, 16), depths=(1, 1, 1, 1, 1), neck_depth=1, neck_width=16, head_width=8
)
MANIFESTS = {
    "mobilesam": "mobile_sam",
    "mobilesamv2-tinyvit": "mobile_sam",
    "mobilesamv2-efficientvit-l2": "efficientvit_l2_encoder",
    "mobilesamv2-vit-h": "sam_vit_h",
    "efficientvit-sam-l0": "efficientvit_l0_encoder",
    "efficientvit-sam-l1": "efficientvit_l1_encoder",
    "efficientvit-sam-l2": "efficientvit_l2_encoder",
    "sam-vit-b": "sam_vit_b",
    "sam-vit-l": "sam_vit_l",
    "sam-vit-h": "sam_vit_h",
}
REAL_SIZE = ("mobilesam", "mobilesamv2-tinyvit", "efficientvit-sam-l0")


def manifest_of_model(name: str) -> dict[str, dict[str, Any]]:
    """What a whole model's checkpoint holds; of EfficientViT the encoder was recorded, its decoder is SAM's."""
    manifest = manifest_of(MANIFESTS[name])
    if any(key.startswith("image_encoder.") for key in manifest):
        return manifest
    decoder = {key: entry for key, entry in manifest_of("mobile_sam").items() if "_encoder.layers" not in key}
    return {f"image_encoder.{key}": entry for key, entry in manifest.items()} | {
        key: entry for key, entry in decoder.items() if not key.startswith("image_encoder.")
    }


def in_form(state: State, form: Form) -> Any:
    """A whole model's tensors as a file of that form holds them."""
    if form is Form.SAM:
        return state
    if form is Form.WRAPPED_SAM:
        return {"state_dict": state}
    if form is Form.ENCODER:
        return part_of(state, "image_encoder")
    assert form is Form.DECODER
    return {"PromtEncoder": part_of(state, "prompt_encoder"), "MaskDecoder": part_of(state, "mask_decoder")}


def written(entry: zoo.ModelEntry, state: State, folder: Path) -> Any:
    """What `load` takes as `weights`: the entry's files, filled with `state`, in their official form."""
    paths = {}
    for part, file in entry.files.items():
        paths[part] = folder / f"{part}-{file.name}"
        torch.save(in_form(state, file.form), paths[part])
    return paths.get("whole", paths)


def sam_of(model: mobilesamv2.Segmenter) -> Sam:
    assert isinstance(model.sam, Sam)
    return model.sam


def config_of(name: str) -> SamConfig:
    config = zoo.MODELS[name].config
    assert isinstance(config, SamConfig)
    return config


def small_config(config: SamConfig) -> SamConfig:
    if isinstance(config.encoder, VitConfig):
        return dataclasses.replace(config, encoder=SMALL_VIT)
    assert isinstance(config.encoder, EfficientVitConfig)
    encoder = dataclasses.replace(SMALL_EFFICIENTVIT, squeezed_from=config.encoder.squeezed_from)
    return dataclasses.replace(config, encoder=encoder)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_checkpoint_of_the_official_form_loads_whole(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = zoo.MODELS[name]
    if name in REAL_SIZE:
        state = synthetic_state(manifest_of_model(name))
    else:
        entry = dataclasses.replace(entry, config=small_config(config_of(name)))
        monkeypatch.setitem(zoo.MODELS, name, entry)
        torch.manual_seed(0)
        state = {key: value.clone() for key, value in Sam.from_config(config_of(name)).state_dict().items()}
    weights = written(entry, state, tmp_path)
    model = mobilesamv2.load(name, weights=weights, detector="nano-objects", device="cpu")
    loaded = sam_of(model).state_dict()
    assert set(loaded) == set(state)
    assert all(torch.equal(value, state[key]) for key, value in loaded.items())
    if name not in REAL_SIZE:
        picture = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
        logits, predicted_iou = model.decode_logits(model.encode(picture), boxes=[[5, 5, 30, 25], [0, 0, 9, 9]])
        assert (logits.shape, predicted_iou.shape) == ((2, 1, 256, 256), (2, 1))
        assert torch.as_tensor(logits).isfinite().all()


@pytest.mark.parametrize("name", MANIFESTS)
def test_keys_and_shapes_of_each_model_are_those_of_the_published_files(name: str) -> None:
    with LeftUnset():  # takes no memory: nothing is written
        own = Sam.from_config(config_of(name)).state_dict()
    published = manifest_of_model(name)
    assert {key: list(value.shape) for key, value in own.items()} == {
        key: entry["shape"] for key, entry in published.items()
    }


def test_the_decoder_of_version_2_is_published_under_sam_s_keys() -> None:
    manifest = manifest_of("prompt_guided_decoder")
    names = {"PromtEncoder": "prompt_encoder", "MaskDecoder": "mask_decoder"}
    renamed = {f"{names[key.partition('.')[0]]}.{key.partition('.')[2]}": entry for key, entry in manifest.items()}
    whole = manifest_of("mobile_sam")
    assert renamed == {key: whole[key] for key in whole if not key.startswith("image_encoder.")}


@pytest.fixture(scope="module")
def tiny_vit_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """MobileSAMv2's own pair: the encoder's file, wrapped and in float16, and the decoder's."""
    state = synthetic_state(manifest_of("mobile_sam"))
    folder = tmp_path_factory.mktemp("pair")
    encoder = part_of(state, "image_encoder")
    torch.save({"model": {f"module.{key}": value for key, value in encoder.items()}}, folder / "encoder.pt")
    torch.save(in_form(state, Form.DECODER), folder / "decoder.pt")
    return {"encoder": folder / "encoder.pt", "decoder": folder / "decoder.pt"}


def test_version_2_s_tiny_vit_gives_the_recorded_embedding(
    tiny_vit_files: dict[str, Path],
    recorded_pixels: Tensor,  # noqa: F811
) -> None:
    model = mobilesamv2.load("mobilesamv2-tinyvit", weights=tiny_vit_files, detector="nano-objects", device="cpu")
    with torch.inference_mode():
        out = model.sam.encode(recorded_pixels).numpy()
    recorded = np.load(FOLDER / "tiny_vit.npz")
    np.testing.assert_allclose(out[0, ::4, ::4, ::4], recorded["tinyvit/out_s"], rtol=0, atol=1e-4)


def test_efficientvit_l0_gives_the_recorded_embedding(
    tmp_path: Path,
    recorded_pixels: Tensor,  # noqa: F811
) -> None:
    entry = zoo.MODELS["efficientvit-sam-l0"]
    weights = written(entry, synthetic_state(manifest_of_model(entry.name)), tmp_path)
    model = mobilesamv2.load(entry.name, weights=weights, device="cpu")
    with torch.inference_mode():
        pixels = F.interpolate(recorded_pixels, (512, 512), mode="bilinear", align_corners=False)
        out = sam_of(model).image_encoder(pixels).numpy()
    expected = RECORDED_ENCODERS["efficientvit_l0/out_s"]
    np.testing.assert_allclose(out[0, ::4, ::4, ::4], expected, rtol=0, atol=1e-4)


def test_a_converted_pair_is_one_file_with_the_same_numbers(tiny_vit_files: dict[str, Path], tmp_path: Path) -> None:
    convert(tiny_vit_files, tmp_path / "whole.safetensors")
    whole, pair = (
        mobilesamv2.load("mobilesamv2-tinyvit", weights=weights, detector="nano-objects", device="cpu")
        for weights in (tmp_path / "whole.safetensors", tiny_vit_files)
    )
    for (key, value), other in zip(sam_of(pair).state_dict().items(), sam_of(whole).state_dict().values(), strict=True):
        assert torch.equal(value, other), key


# Detectors -----------------------------------------------------------------------------------------------------

DESCRIPTIONS = {
    "object-aware": "",
    "fastsam-s": "yolov8n-seg.yaml",
    "fastsam-x": "yolov8n-seg.yaml",
    **{f"yolov8{size}": "yolov8n.yaml" for size in "nsmlx"},
    **{f"yolo11{size}": "yolo11n.yaml" for size in "nsmlx"},
}


def predicted(detector: ObjectDetector) -> Tensor:
    """What a detector makes of a small picture of noise."""
    pictures = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found: Tensor = detector(pictures)
    return found


@pytest.fixture(scope="module")
def pickles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A pickled checkpoint of each kind, at the smallest size."""
    folder = tmp_path_factory.mktemp("pickles")
    found = {"": save_checkpoint(folder / "object-aware.pt", object_aware_network())}
    for description in sorted(set(DESCRIPTIONS.values()) - {""}):
        classes = 1 if "-seg" in description else 80
        network = published_network(description, classes=classes)
        found[description] = save_checkpoint(folder / f"{description}.pt", network)
    return found


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_detector_of_the_official_form_loads_by_its_name(
    name: str, pickles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = zoo.DETECTORS[name]
    file = dataclasses.replace(entry.files["whole"], bytes=None, sha256=None)
    config = dataclasses.replace(entry.config, scale="n")
    monkeypatch.setitem(zoo.DETECTORS, name, dataclasses.replace(entry, files={"whole": file}, config=config))
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(tmp_path))
    (tmp_path / file.name).symlink_to(pickles[DESCRIPTIONS[name]])
    detector = build_detector(name, device="cpu")
    assert detector.input_side == entry.config.input_side
    predictions = predicted(detector)
    assert predictions.shape[:2] == (1, 4 + entry.config.classes)
    assert predictions.isfinite().all()


def test_every_row_of_the_zoo_is_here() -> None:
    assert {"nano", *MANIFESTS} == set(zoo.MODELS)
    assert {"nano-objects", *DESCRIPTIONS} == set(zoo.DETECTORS)


def test_another_network_under_a_detector_s_name_is_refused(
    pickles: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MOBILESAMV2_WEIGHTS_DIR", str(tmp_path))
    (tmp_path / "yolov8n.pt").symlink_to(pickles["yolo11n.yaml"])
    with pytest.raises(WeightsError, match=r"yolov8n\.pt was made for another architecture: .* missing \(model\.\d"):
        build_detector("yolov8n", device="cpu")


@pytest.mark.parametrize("kind", ["", "yolov8n-seg.yaml", "yolo11n.yaml"])
def test_a_converted_detector_predicts_the_same(kind: str, pickles: dict[str, Path], tmp_path: Path) -> None:
    convert({"whole": pickles[kind]}, tmp_path / "detector.safetensors")
    first, second = (build_detector(path, device="cpu") for path in (pickles[kind], tmp_path / "detector.safetensors"))
    assert first.input_side == second.input_side
    assert torch.equal(predicted(first), predicted(second))


def test_any_model_takes_any_detector_by_path(pickles: dict[str, Path]) -> None:
    model = mobilesamv2.load("nano", detector=pickles["yolov8n-seg.yaml"], device="cpu")
    assert model.has_detector
