"""Exported networks of every architecture, on ONNX Runtime, beside the same networks on PyTorch."""

from __future__ import annotations

import dataclasses
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mobilesamv2.models.detector.detector import (
    DetectorConfig,
    ObjectDetector,
    build_detector_module,
    fuse_batch_norm,
)
from mobilesamv2.models.mask_decoder.decoder import MaskDecoderConfig
from mobilesamv2.models.prompt_encoder.encoder import PromptEncoderConfig
from mobilesamv2.models.sam import Sam, SamConfig
from mobilesamv2.onnx.running import OnnxDetector, OnnxNetwork
from mobilesamv2.onnx.writing import (
    DESCRIPTION,
    OPSET,
    plain_path,
    write_detector,
    write_encoder,
    write_segmenter,
)
from tests.models.encoders.test_efficientvit import SMALL as EFFICIENTVIT
from tests.models.encoders.test_vit import SMALL as VIT
from tests.tiny import picture, tiny_sam

pytestmark = pytest.mark.skipif(
    not all(map(find_spec, ("onnxruntime", "onnxscript"))), reason='ONNX: pip install -e ".[onnx]"'
)

BOXES = torch.tensor([[4.0, 4, 30, 30], [10, 20, 60, 50], [0, 0, 64, 64]])
POINTS = torch.tensor([[[9.0, 9], [5, 5]], [[40, 50], [0, 0]], [[63, 0], [1, 60]]])
LABELS = torch.tensor([[1, 0], [1, -1], [0, 0]])
FORMS: dict[str, dict[str, Any]] = {
    "boxes": {"boxes_xyxy": BOXES},
    "one box": {"boxes_xyxy": BOXES[:1]},
    "points": {"points": POINTS, "labels": LABELS},
    "one point": {"points": POINTS[:, :1], "labels": LABELS[:, :1]},
    "both": {"boxes_xyxy": BOXES, "points": POINTS, "labels": LABELS},
}
MASKS = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def written(described: dict[str, object], folder: Path) -> None:
    (folder / DESCRIPTION).write_text(json.dumps({"name": "tiny", "opset": OPSET, **described}))


def least_iou(a: Tensor, b: Tensor) -> float:
    """Of masks (N, M, h, w) with those at the same place."""
    a, b = a > 0, b > 0
    return float(((a & b).sum((2, 3)) / (a | b).sum((2, 3)).clamp(min=1) + ~(a | b).any(3).any(2)).min())


@pytest.fixture(scope="module")
def sam() -> Sam:
    return tiny_sam().requires_grad_(False)


@pytest.fixture(scope="module")
def network(sam: Sam, tmp_path_factory: pytest.TempPathFactory) -> OnnxNetwork:
    folder = tmp_path_factory.mktemp("sam")
    with plain_path():
        written({"segmenter": write_segmenter(sam, folder)}, folder)
    return OnnxNetwork(folder)


@pytest.fixture(scope="module")
def features(sam: Sam, network: OnnxNetwork) -> Tensor:
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network.encode(pixels), encoded := sam.encode(pixels), atol=1e-4, rtol=1e-4)
        return encoded


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("multimask", [False, True])
def test_segment_anythings_decoder_answers_alike(
    sam: Sam, network: OnnxNetwork, features: Tensor, form: str, multimask: bool
) -> None:
    with torch.inference_mode():
        logits, iou = network.decode(features, multimask=multimask, **FORMS[form])
        expected, expected_iou = sam.decode(features, multimask=multimask, **FORMS[form])
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(iou, expected_iou, atol=1e-4, rtol=1e-4)
    assert least_iou(logits, expected) > 0.999


def test_an_earlier_mask_is_refined_alike(sam: Sam, network: OnnxNetwork, features: Tensor) -> None:
    prompts: dict[str, Any] = {**FORMS["points"], "masks": MASKS}
    with torch.inference_mode():
        logits, _ = network.decode(features, multimask=True, **prompts)
        expected, _ = sam.decode(features, multimask=True, **prompts)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_no_prompts_are_no_masks(network: OnnxNetwork, features: Tensor) -> None:
    logits, iou = network.decode(features, boxes_xyxy=torch.zeros(0, 4), multimask=True)
    assert logits.shape == (0, 3, 32, 32)
    assert iou.shape == (0, 3)


def with_encoder(encoder: object, *, side: int, stride: int) -> Sam:
    torch.manual_seed(3)
    width = encoder.out_width  # type: ignore[attr-defined]
    config = SamConfig(
        encoder=encoder,  # type: ignore[arg-type]
        prompt_encoder=PromptEncoderConfig(width=width, input_side=side, stride=stride),
        mask_decoder=MaskDecoderConfig(width=width, heads=2, hidden_width=32),
    )
    return Sam.from_config(config).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("encoder", "side"),
    [(VIT, 320), (dataclasses.replace(EFFICIENTVIT, out_width=16, squeezed_from=128), 128)],
    ids=["vit", "efficientvit"],
)
def test_other_encoders_agree(encoder: object, side: int, tmp_path: Path) -> None:
    sam = with_encoder(encoder, side=side, stride=16)
    with plain_path():
        described = write_encoder(sam, tmp_path)
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    import onnxruntime  # not while tests are collected

    session = onnxruntime.InferenceSession(tmp_path / described["file"], providers=["CPUExecutionProvider"])
    (found,) = session.run(["image_embeddings"], {"images": pixels.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(found, sam.encode(pixels).numpy(), atol=1e-3, rtol=1e-3)


def test_a_yolo_network_predicts_alike_on_inputs_of_any_shape(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_detector_module(DetectorConfig(family="yolo11", classes=3)).eval()
    for branch in network.model[-1].cv3:  # type: ignore[index, union-attr]
        nn.init.normal_(branch[-1].weight, std=0.5)
        nn.init.zeros_(branch[-1].bias)
    detector = ObjectDetector(fuse_batch_norm(network).requires_grad_(False), input_side=128, nms_iou=0.7)
    with plain_path():
        written({"detector": write_detector(detector, tmp_path)}, tmp_path)
    exported = OnnxDetector(tmp_path)
    for height, width in ((96, 128), (128, 64)):
        pixels = picture(height, width)
        with torch.inference_mode():
            expected, found = detector.predict(pixels), exported.predict(pixels)
        torch.testing.assert_close(found[:4], expected[:4], atol=1e-2, rtol=1e-4)
        torch.testing.assert_close(found[4], expected[4:].amax(0), atol=1e-4, rtol=1e-4)
