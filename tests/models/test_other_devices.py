"""What a GPU will run, without one: half precision beside float32, and a device that refuses to mix with others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mobilesamv2 import zoo
from mobilesamv2.inference import inference
from mobilesamv2.models.detector.config import LITE_CONFIG
from mobilesamv2.models.detector.detector import DetectorConfig, ObjectDetector, build_detector_module, fuse_batch_norm
from mobilesamv2.models.encoders.vit import VitConfig
from tests.models.nano.test_model import tiny_nano
from tests.models.test_sam import SMALL_EFFICIENTVIT, small_sam
from tests.tiny import tiny_sam

SMALL_VIT = VitConfig(width=16, depth=2, heads=2, global_blocks=(1,), window=3, input_side=128, out_width=16)
MODELS: dict[str, Callable[[], Any]] = {
    "nano": tiny_nano,
    "tiny-vit": tiny_sam,
    "efficientvit": lambda: small_sam(SMALL_EFFICIENTVIT),
    "vit": lambda: small_sam(SMALL_VIT),
}
DETECTORS = {
    "nano-objects": LITE_CONFIG,
    "object-aware": DetectorConfig(reg_max=26),
    "fastsam": DetectorConfig(),
    "yolov8": DetectorConfig(classes=80),
    "yolov8s": DetectorConfig(scale="s", classes=80),
    "yolo11": DetectorConfig(family="yolo11", classes=80),
    "yolo11m": DetectorConfig(family="yolo11", scale="m", classes=80),  # from here on its blocks are of another kind
}
"""Smaller ones of the same layers as those of the zoo."""
BOXES = torch.tensor([[4.0, 4.0, 30.0, 30.0], [10.0, 20.0, 60.0, 50.0], [1.0, 2.0, 9.0, 40.0]])
POINTS = torch.tensor([[[9.0, 9.0], [5.0, 5.0]], [[40.0, 50.0], [0.0, 0.0]], [[63.0, 0.0], [1.0, 60.0]]])
LABELS = torch.tensor([[1, 0], [1, -1], [1, 1]])
QUESTIONS: dict[str, dict[str, Any]] = {
    "boxes": {"boxes_xyxy": BOXES, "multimask": False},
    "points": {"points": POINTS, "labels": LABELS, "multimask": True},
    "both and a mask": {"boxes_xyxy": BOXES, "points": POINTS, "labels": LABELS, "multimask": False},
}


def pixels_of(side: int) -> Tensor:
    return torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))


def answers(model: Any, pixels: Tensor, question: str) -> tuple[Tensor, Tensor]:
    """Encode, share, decode."""
    asked = {
        name: value.to(pixels.device) if isinstance(value, Tensor) else value
        for name, value in QUESTIONS[question].items()
    }
    with inference(pixels.device):
        features = model.encode(pixels)
        assert (features.device, features.dtype) == (pixels.device, model.dtype)
        if "mask" in question:
            side = 4 * features.shape[-1]
            asked["masks"] = torch.zeros(3, 1, side, side, device=pixels.device)
        logits, iou = model.decode(features, shared=model.share(features), **asked)
    return logits, iou


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", MODELS)
def test_half_precision_answers_like_float32(name: str, question: str, dtype: torch.dtype) -> None:
    model = MODELS[name]()
    pixels = pixels_of(model.picture_side)
    logits, iou = answers(model, pixels, question)
    half_logits, half_iou = answers(copy.deepcopy(model).cast(dtype), pixels, question)
    assert half_logits.dtype == half_iou.dtype == torch.float32
    # Random weights make noise of numbers that differ little; bfloat16 has eight bits.
    allowed = 0.1 if dtype == torch.bfloat16 else 0.02
    assert (half_logits - logits).abs().mean() < allowed * logits.std()
    assert (half_iou - iou).abs().max() < 0.05 * max(1, float(iou.abs().max()))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", MODELS)
def test_nothing_between_encode_and_decode_leaves_the_device(name: str, question: str) -> None:
    # "meta" computes shapes only, and raises where a tensor of another device comes in.
    model = MODELS[name]()
    pixels = pixels_of(model.picture_side)
    logits, iou = answers(model, pixels, question)
    meta_logits, meta_iou = answers(model.to("meta"), pixels.to("meta"), question)
    assert meta_logits.device.type == meta_iou.device.type == "meta"
    assert (meta_logits.shape, meta_iou.shape) == (logits.shape, iou.shape)


def test_every_family_of_detectors_of_the_zoo_is_tried() -> None:
    of_zoo = {(each.config.family, each.config.reg_max, each.config.classes) for each in zoo.DETECTORS.values()}
    assert of_zoo == {(each.family, each.reg_max, each.classes) for each in DETECTORS.values()}


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_predicts_in_half_precision_and_on_its_device_alone(name: str) -> None:
    torch.manual_seed(0)
    network: nn.Module = fuse_batch_norm(build_detector_module(DETECTORS[name]).eval())  # as it is run
    pictures = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found = ObjectDetector(network, input_side=96)(pictures)
        for dtype in (torch.bfloat16, torch.float16):
            half = ObjectDetector(copy.deepcopy(network).to(dtype), input_side=96)(pictures.to(dtype))
            assert half.dtype == torch.float32
            torch.testing.assert_close(half, found, atol=1.0, rtol=0.05)  # pixels; confidences are within 1 anyhow
            torch.testing.assert_close(half[:, 4:], found[:, 4:], atol=0.02, rtol=0.1)
        meta = ObjectDetector(network, input_side=96).to("meta")(pictures.to("meta"))
    assert meta.device.type == "meta"
    assert meta.shape == found.shape
