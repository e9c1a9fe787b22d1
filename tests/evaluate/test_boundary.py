from __future__ import annotations

import math

import numpy as np
import pytest

from mobilesamv2.evaluate.boundary import boundary_iou
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.types import Rle

SIDE = 100
BAND = round(0.02 * math.hypot(SIDE, SIDE))  # 3 pixels


def square(x0: int, y0: int, x1: int, y1: int) -> Rle:
    return encode_window(np.ones((y1 - y0, x1 - x0), dtype=bool), origin_yx=(y0, x0), size_hw=(SIDE, SIDE))


def band_area(side: int) -> int:
    return side**2 - (side - 2 * BAND) ** 2


def test_equal_masks_have_1_and_masks_apart_0() -> None:
    assert boundary_iou(square(10, 20, 60, 70), square(10, 20, 60, 70)) == 1
    assert boundary_iou(square(0, 0, 20, 20), square(50, 50, 90, 90)) == 0


def test_only_the_band_along_the_outline_counts() -> None:
    # One square in the middle of another: their bands share nothing, although half of the pixels agree.
    assert boundary_iou(square(10, 10, 70, 70), square(20, 20, 60, 60)) == 0
    # Moved by a pixel, a large square keeps nearly all of its IoU and much less of its band.
    moved = boundary_iou(square(10, 10, 70, 70), square(11, 10, 71, 70))
    assert moved == pytest.approx(((band_area(60) - 2 * 60 - 0) / (band_area(60) + 2 * 60)), abs=0.05)
    assert moved < 59 / 61 - 0.1


def test_a_mask_thinner_than_the_band_has_its_iou() -> None:
    assert boundary_iou(square(10, 10, 14, 14), square(10, 10, 14, 12)) == pytest.approx(0.5)


def test_the_edge_of_the_picture_is_an_outline() -> None:
    whole, top = square(0, 0, SIDE, SIDE), square(0, 0, SIDE, BAND)
    assert boundary_iou(whole, top) == pytest.approx(BAND * SIDE / band_area(SIDE))


def test_empty_masks_have_0() -> None:
    empty = square(0, 0, 0, 0)
    assert boundary_iou(empty, empty) == 0
    assert boundary_iou(empty, square(5, 5, 9, 9)) == 0


def test_masks_of_different_pictures_are_refused() -> None:
    other = encode_window(np.ones((2, 2), dtype=bool), origin_yx=(0, 0), size_hw=(9, 9))
    with pytest.raises(ValueError, match="must be of one picture"):
        boundary_iou(square(0, 0, 2, 2), other)
