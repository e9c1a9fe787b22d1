"""The weights of an axis must be those of interpolating twice, and strips must cover each pixel once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mobilesamv2.ops.enlarging import Axis, Strips

AXES = [
    (64, 256, 192, 751),
    (64, 64, 64, 64),
    (64, 256, 100, 7),
    (64, 16, 16, 40),
    (4, 8, 1, 1),
    (16, 64, 64, 900),
]


@pytest.mark.parametrize(("low", "input_side", "resized", "out"), AXES)
def test_weights_are_those_of_interpolating_twice(low: int, input_side: int, resized: int, out: int) -> None:
    axis = Axis.through(low, input_side, resized, out)
    values = np.random.default_rng(0).standard_normal(low).astype(np.float32)
    once = F.interpolate(torch.from_numpy(values)[None, None], input_side, mode="linear", align_corners=False)
    twice = F.interpolate(once[..., :resized], out, mode="linear", align_corners=False)[0, 0].numpy()
    near = np.minimum(axis.first[:, None] + np.arange(axis.taps), low - 1)
    np.testing.assert_allclose((values[near] * axis.weights).sum(1), twice, atol=1e-5)
    assert axis.weights.min() >= 0
    np.testing.assert_allclose(axis.weights.sum(1), 1, atol=1e-6)


@pytest.mark.parametrize(("low", "input_side", "resized", "out"), AXES)
def test_pixels_that_are_reached_are_those_with_a_weight(low: int, input_side: int, resized: int, out: int) -> None:
    axis = Axis.through(low, input_side, resized, out)
    for begin, end in ((0, 1), (low // 3, low // 2 + 1), (low - 1, low)):
        near = axis.first[:, None] + np.arange(axis.taps)
        counts = ((near >= begin) & (near < end) & (axis.weights > 0)).any(1)
        reached = np.zeros(out, dtype=np.bool_)
        reached[axis.reached_from(begin, end)] = True
        assert not (counts & ~reached).any()


@pytest.mark.parametrize(("low", "input_side", "resized", "out"), AXES)
def test_strips_are_the_axis_cut_where_the_first_neighbour_changes(
    low: int, input_side: int, resized: int, out: int
) -> None:
    axis = Axis.through(low, input_side, resized, out)
    strips = Strips.of(axis)
    weights = strips.weights.transpose(1, 2, 0)  # (J, length, taps)
    np.testing.assert_array_equal(weights[strips.real], axis.weights)
    np.testing.assert_array_equal(np.repeat(strips.first, np.diff(strips.start)), axis.first)
    assert (strips.start[0], strips.start[-1]) == (0, out)
    for strip, real in zip(weights, strips.real, strict=True):
        assert (strip[~real] == strip[real][-1]).all()
