"""Masks that a box alone gives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.evaluate.baselines import filled_box, filled_ellipse
from mobilesamv2.types import Rle


def _box(*edges: float) -> np.ndarray:
    return np.array(edges, dtype=np.float32)


def test_a_box_is_filled_to_its_edges() -> None:
    dense = coco_mask.decode(filled_box(_box(2, 1, 5, 4), size_hw=(6, 7)))
    expected = np.zeros((6, 7))
    expected[1:4, 2:5] = 1
    assert (dense == expected).all()


def test_the_ellipse_has_its_area_and_touches_its_box() -> None:
    rle = filled_ellipse(_box(10, 20, 110, 80), size_hw=(100, 120))
    assert int(coco_mask.area(rle)) == pytest.approx(math.pi * 50 * 30, rel=0.01)
    assert coco_mask.toBbox(rle).tolist() == [10, 20, 100, 60]


def test_a_small_ellipse_has_the_pixels_counted_by_hand() -> None:
    # Radius 2 around (2, 2): the four corner pixels of the box lie at a distance of 2.12.
    dense = coco_mask.decode(filled_ellipse(_box(0, 0, 4, 4), size_hw=(4, 4)))
    assert dense.tolist() == [[0, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 0]]


@pytest.mark.parametrize("fill", [filled_box, filled_ellipse])
@pytest.mark.parametrize("box", [(3, 3, 3, 3), (-5, -5, -1, -1), (20, 20, 30, 30), (4, 5, 3, 2)])
def test_a_box_without_pixels_gives_an_empty_mask(fill: Callable[..., Rle], box: tuple[int, int, int, int]) -> None:
    assert int(coco_mask.area(fill(_box(*box), size_hw=(10, 10)))) == 0


def test_what_lies_outside_the_picture_is_cut_off() -> None:
    assert int(coco_mask.area(filled_box(_box(-3, -3, 4, 4), size_hw=(10, 10)))) == 16
