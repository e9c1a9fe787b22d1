"""Slow things that several tests of this folder look at, made once."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.synthetic_weights import FOLDER, mobile_sam_state

RECORDED_ENCODERS = np.load(FOLDER / "encoders.npz")


@pytest.fixture(scope="session")
def mobile_sam_weights() -> dict[str, Tensor]:
    """The synthetic state dict that the recorded values were made with."""
    return mobile_sam_state()


def repeated(array: np.ndarray, times: int) -> np.ndarray:
    """Repeat each element along the last two axes."""
    return array.repeat(times, axis=-1).repeat(times, axis=-2)


def two_scale_noise(*, seed: int, channels: int, sides: tuple[int, int], weights: tuple[float, float]) -> Tensor:
    """The seeded input of a recorded run: coarse noise plus fine noise, float32 (1, channels, S, S)."""
    generator = np.random.default_rng(seed)
    coarse, fine = (generator.standard_normal((1, channels, side, side)) for side in sides)
    noise = weights[0] * repeated(coarse, sides[1] // sides[0]) + weights[1] * fine
    return torch.from_numpy(noise.astype(np.float32))


@pytest.fixture(scope="session")
def recorded_pixels() -> Tensor:
    """The input of every recorded run of an encoder, (1, 3, 1024, 1024)."""
    pixels = two_scale_noise(seed=7, channels=3, sides=(64, 1024), weights=(1.0, 0.5))
    assert zlib.crc32(pixels.numpy().tobytes()) == RECORDED_ENCODERS["input_crc32"]
    return pixels


def sampled(output: Tensor) -> np.ndarray:
    """About 2000 numbers of a stage's output, those that were recorded."""
    flat = output[0].reshape(-1).numpy()
    return flat[:: max(1, len(flat) // 2000)][:2000]
