"""Where pixels of the picture are in the model's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilesamv2.geometry import ResizeLongestSide

PARITY = Path(__file__).parent / "parity" / "preprocess.npz"
SIZES = [(375, 500), (1000, 667), (333, 333), (3000, 200)]


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(PARITY) as file:
        return dict(file)


def test_sizes_after_resizing_are_as_recorded_but_never_zero(recorded: dict[str, np.ndarray]) -> None:
    for size_hw, expected in zip(recorded["size_table_in"], recorded["size_table_out"], strict=True):
        # The recorded code rounds 4000 x 1 to 1024 x 0 and then fails.
        assert ResizeLongestSide(tuple(size_hw.tolist()), 1024).resized_hw == tuple(np.maximum(expected, 1))


@pytest.mark.parametrize("size_hw", SIZES)
def test_points_and_boxes_move_as_recorded(recorded: dict[str, np.ndarray], size_hw: tuple[int, int]) -> None:
    frame, tag = ResizeLongestSide(size_hw, 1024), f"{size_hw[0]}x{size_hw[1]}"
    points = frame.points_to_input(recorded[f"{tag}/coords"])
    boxes = frame.boxes_to_input(recorded[f"{tag}/boxes"])
    np.testing.assert_allclose(points, recorded[f"{tag}/coords_out"], rtol=1e-14)
    np.testing.assert_allclose(boxes, recorded[f"{tag}/boxes_out"], rtol=1e-14)


@pytest.mark.parametrize("size_hw", [*SIZES, (1, 1), (1, 9000), (2, 3), (4000, 3)])
@pytest.mark.parametrize("input_side", [64, 512, 1024])
def test_the_whole_picture_fills_the_resized_one(size_hw: tuple[int, int], input_side: int) -> None:
    frame = ResizeLongestSide(size_hw, input_side)
    whole = np.array([[0, 0, size_hw[1], size_hw[0]]])
    height, width = frame.resized_hw
    np.testing.assert_allclose(frame.boxes_to_input(whole), [[0, 0, width, height]])
    assert max(height, width) == input_side
    assert min(height, width) >= 1


def test_a_box_moves_as_its_corners_do() -> None:
    frame = ResizeLongestSide((120, 77), 512)
    boxes = np.array([[3, 5, 60.5, 70], [0, 0, 1, 1]], dtype=np.float32)
    corners = frame.points_to_input(boxes.reshape(-1, 2, 2))
    np.testing.assert_array_equal(frame.boxes_to_input(boxes), corners.reshape(-1, 4))


def test_no_points_and_no_boxes_stay_none() -> None:
    frame = ResizeLongestSide((10, 20), 64)
    assert frame.points_to_input(np.zeros((0, 2, 2))).shape == (0, 2, 2)
    assert frame.boxes_to_input(np.zeros((0, 4))).shape == (0, 4)


def test_moving_points_leaves_the_argument_alone() -> None:
    points = np.ones((3, 2))
    ResizeLongestSide((10, 20), 64).points_to_input(points)
    assert (points == 1).all()
