"""The same masks whatever state the caller's PyTorch is in, and that state as it was afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import numpy as np
import pytest
import torch

import mobilesamv2

from .tiny import picture, tiny_segmenter


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "meta": lambda: torch.device("meta"),
    "deterministic": deterministic,
    "no gradients": torch.no_grad,
    "gradients": torch.enable_grad,
    "threads": lambda: threads(1),
}


def answers(segmenter: mobilesamv2.Segmenter) -> list[np.ndarray]:
    """Everything a model is asked for."""
    photo = picture(60, 90)
    embedding = segmenter.encode(photo)
    logits, iou = segmenter.decode_logits(embedding, boxes=[2, 3, 40, 30])
    refined, _ = segmenter.decode_logits(embedding, points=[[9, 9]], mask_inputs=logits[:, 0])
    grid = segmenter.segment_everything(photo, sampler="grid", points_per_side=3)
    boxes = segmenter.segment_everything(photo)
    return [
        *(tensor.numpy() for tensor in (logits, iou, refined)),
        *(masks.dense() for masks in (grid.masks, boxes.masks, segmenter.predict(embedding, points=[[9, 9]]))),
    ]


@cache
def loaded(model: str) -> mobilesamv2.Segmenter:
    return tiny_segmenter() if model == "tiny" else mobilesamv2.load(model, device="cpu")


@cache
def expected_answers(model: str) -> list[np.ndarray]:
    """In the state that PyTorch begins with."""
    return answers(loaded(model))


@pytest.mark.parametrize(
    ("model", "state"), [*(("tiny", state) for state in STATES), ("nano", "autocast"), ("nano", "float64")]
)
def test_the_callers_state_changes_no_mask(model: str, state: str) -> None:
    segmenter, expected = loaded(model), expected_answers(model)
    with STATES[state]():
        before = (torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.is_grad_enabled())
        found = answers(segmenter)
        after = (torch.get_default_dtype(), torch.is_autocast_enabled("cpu"), torch.is_grad_enabled())
    assert before == after
    for one, other in zip(expected, found, strict=True):
        assert one.dtype == other.dtype
        if state == "threads":
            assert np.isclose(one, other, atol=1e-3).mean() > 0.999
        else:
            np.testing.assert_array_equal(one, other)
