"""Results do not depend on the state that a caller has put PyTorch into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mobilesamv2.models.detector.detector import DetectorConfig, ObjectDetector, build_detector_module
from mobilesamv2.segmenter import Segmenter
from tests.tiny import picture, tiny_sam


@contextmanager
def autocast() -> Iterator[None]:
    with torch.autocast("cpu", torch.bfloat16):
        yield


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


class default_device(TorchFunctionMode):  # noqa: N801  # among functions of its kind
    """A caller's other default device: every tensor that is made must say where."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (
            torch.arange,
            torch.empty,
            torch.full,
            torch.linspace,
            torch.ones,
            torch.tensor,
            torch.zeros,
        ):
            assert kwargs.get("device") is not None, f"{func.__name__} without a device"
        return func(*args, **kwargs)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def gradients() -> Iterator[None]:
    with torch.enable_grad():
        yield


STATES = [autocast, default_dtype, default_device, deterministic, gradients]


def answers(segmenter: Segmenter) -> list[Tensor]:
    embedding = segmenter.encode(picture())
    mask = torch.from_numpy(picture(32, 32)[None, ..., 0]).float()
    found = [embedding.features]
    for multimask in (False, True):
        found += segmenter.decode_logits(embedding, boxes=[[2, 3, 40, 30], [1, 1, 9, 9]], multimask=multimask)
        found += segmenter.decode_logits(embedding, points=[[20, 9]], mask_inputs=mask, multimask=multimask)
    return found


@pytest.mark.parametrize("state", STATES)
def test_masks_are_the_same_under_any_state_of_the_caller(state) -> None:
    segmenter = Segmenter(tiny_sam(), name="tiny")
    expected = answers(segmenter)
    with state():
        found = answers(segmenter)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("state", STATES)
def test_boxes_are_the_same_under_any_state_of_the_caller(state) -> None:
    torch.manual_seed(0)
    detector = ObjectDetector(build_detector_module(DetectorConfig()), input_side=64)
    expected = detector.detect(picture(), confidence=0.0)
    assert len(expected) > 0
    with state():
        found = detector.detect(picture(), confidence=0.0)
    assert (found.boxes_xyxy == expected.boxes_xyxy).all()
    assert (found.scores == expected.scores).all()
