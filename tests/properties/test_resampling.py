"""The way from low resolution to original pixels, and from original pixels to the model's input."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.ops.enlarging import Axis, Strips


@st.composite
def axes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Low-resolution pixels, side of the model's input, its pixels that are picture, original pixels."""
    low = draw(st.integers(1, 24))
    input_side = low * draw(st.integers(1, 4))
    return low, input_side, draw(st.integers(1, input_side)), draw(st.integers(1, 150))


@given(axes(), st.integers(0, 9))
def test_one_step_is_interpolating_twice(axis: tuple[int, int, int, int], seed: int) -> None:
    low, input_side, resized, out = axis
    values = np.random.default_rng(seed).standard_normal(low).astype(np.float32)
    once = F.interpolate(torch.from_numpy(values)[None, None], input_side, mode="linear", align_corners=False)
    twice = F.interpolate(once[..., :resized], out, mode="linear", align_corners=False)[0, 0].numpy()
    made = Axis.through(low, input_side, resized, out)
    near = np.minimum(made.first[:, None] + np.arange(made.taps), low - 1)
    np.testing.assert_allclose((values[near] * made.weights).sum(1), twice, atol=2e-5)


@given(axes())
def test_weights_share_one_and_only_rise(axis: tuple[int, int, int, int]) -> None:
    made = Axis.through(*axis)
    assert made.weights.min() >= 0
    np.testing.assert_allclose(made.weights.sum(1), 1, atol=1e-6)
    assert (np.diff(made.first) >= 0).all()


@given(axes())
def test_strips_cover_each_original_pixel_once(axis: tuple[int, int, int, int]) -> None:
    made = Axis.through(*axis)
    strips = Strips.of(made)
    assert int(strips.real.sum()) == axis[3]
    np.testing.assert_array_equal(np.repeat(strips.first, np.diff(strips.start)), made.first)


SIDES = st.integers(1, 5000)


@given(SIDES, SIDES, st.sampled_from([64, 512, 1024]))
def test_the_longer_side_fits_and_corners_meet_corners(height: int, width: int, input_side: int) -> None:
    resize = ResizeLongestSide((height, width), input_side)
    new_height, new_width = resize.resized_hw
    assert max(new_height, new_width) == input_side
    assert min(new_height, new_width) >= 1
    corners = resize.points_to_input(np.array([[0, 0], [width, height]], dtype=np.float64))
    np.testing.assert_allclose(corners, [[0, 0], [new_width, new_height]], rtol=1e-12)


@given(SIDES, SIDES, st.floats(0, 1), st.floats(0, 1))
def test_points_come_back_from_the_input(height: int, width: int, x: float, y: float) -> None:
    resize = ResizeLongestSide((height, width), 1024)
    point = np.array([x * width, y * height])
    new_height, new_width = resize.resized_hw
    back = resize.points_to_input(point) * [width / new_width, height / new_height]
    np.testing.assert_allclose(back, point, rtol=1e-12)


@given(SIDES, SIDES, st.floats(0, 1), st.floats(0, 1))
def test_a_box_is_moved_as_its_two_corners(height: int, width: int, x: float, y: float) -> None:
    resize = ResizeLongestSide((height, width), 1024)
    corners = np.array([[0.0, 0.0], [x * width, y * height]])
    np.testing.assert_array_equal(
        resize.boxes_to_input(corners.reshape(1, 4)), resize.points_to_input(corners).reshape(1, 4)
    )
