"""Results do not depend on the state that a caller has put PyTorch into."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from mobilesamv2.models.detector.detector import DetectorConfig, ObjectDetector, build_detector_module
from tests.tiny import picture


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

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Collection[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
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


@pytest.mark.parametrize("state", STATES)
def test_boxes_are_the_same_under_any_state_of_the_caller(
    state: Callable[[], AbstractContextManager[object]],
) -> None:
    torch.manual_seed(0)
    detector = ObjectDetector(build_detector_module(DetectorConfig()), input_side=64)
    expected = detector.detect(picture(), confidence=0.0)
    assert len(expected) > 0
    with state():
        found = detector.detect(picture(), confidence=0.0)
    assert (found.boxes_xyxy == expected.boxes_xyxy).all()
    assert (found.scores == expected.scores).all()
