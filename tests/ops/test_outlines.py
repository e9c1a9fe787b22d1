"""Polygons of masks: exact for who fills them, exact for who draws their lines too."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from mobilesamv2.arrays import Bools, Ints
from mobilesamv2.ops.outlines import edge_rings, joined, middle_rings
from tests.export.examples import without_holes

RING = np.array([[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 1]], dtype=np.bool_)


def windows(count: int = 60) -> Iterator[Bools]:
    """Noise and blobs of many shapes: with holes, islands, islands in holes, corners that touch."""
    random = np.random.default_rng(0)
    for index in range(count):
        height, width = random.integers(1, 40, 2)
        noise = random.random((height, width))
        window = (cv2.GaussianBlur(noise, (0, 0), random.uniform(0.4, 3)) if index % 2 else noise) > 0.5
        window = window.reshape(height, width)
        window[0, 0] = True
        yield window


def crossed(rings: list[Ints], shape: tuple[int, int]) -> Bools:
    """Pixels whose middle lies within an odd number of rings: exactly, from the upright edges left of it."""
    inside = np.zeros(shape, dtype=np.bool_)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
            if x0 == x1:
                inside[min(y0, y1) : max(y0, y1), x0:] ^= True
    return inside


def test_no_mask_has_no_outline() -> None:
    for shape in ((0, 0), (3, 0), (2, 3)):
        nothing = np.zeros(shape, dtype=np.bool_)
        assert edge_rings(nothing) == ([], [])
        if nothing.size:
            assert middle_rings(nothing) == []


def test_a_ring_has_an_outer_outline_and_that_of_its_hole() -> None:
    (outer,), (hole,) = edge_rings(RING, origin_xy=(10, 20))
    assert {tuple(point) for point in outer} == {(10, 20), (13, 20), (13, 22), (14, 22), (14, 23), (10, 23)}
    assert {tuple(point) for point in hole} == {(11, 21), (12, 21), (12, 22), (11, 22)}


def test_edge_rings_are_exactly_the_mask() -> None:
    for window in windows():
        outer, holes = edge_rings(window)
        assert (crossed(outer + holes, window.shape) == window).all()


def test_pycocotools_fills_outer_edge_rings_exactly() -> None:
    for window in windows():
        height, width = window.shape
        outer, _ = edge_rings(window)
        rles = coco_mask.frPyObjects([ring.ravel().astype(float).tolist() for ring in outer], height, width)
        filled = np.logical_or.reduce([crossed([ring], window.shape) for ring in outer])
        assert (coco_mask.decode(coco_mask.merge(rles)).astype(np.bool_) == filled).all()
        assert (filled | ~window).all()


def drawn_by_pillow(rings: list[np.ndarray], shape: tuple[int, int]) -> Bools:
    image = Image.new("1", shape[::-1])
    for ring in rings:
        ImageDraw.Draw(image).polygon([tuple(map(float, point)) for point in ring], outline=1, fill=1)
    return np.array(image)


def drawn_by_opencv(rings: list[np.ndarray], shape: tuple[int, int]) -> Bools:
    image = np.zeros(shape, dtype=np.uint8)
    for ring in rings:
        cv2.fillPoly(image, [ring.astype(np.int32)], 1)
    return image.astype(np.bool_)


@pytest.mark.parametrize("drawn", [drawn_by_pillow, drawn_by_opencv])
def test_who_draws_lines_too_has_the_mask_with_its_holes_filled(drawn: object) -> None:
    assert callable(drawn)
    for window in windows():
        rings = middle_rings(window)
        assert all(len(ring) >= 3 for ring in rings)
        assert (drawn(rings, window.shape) == without_holes(window)).all()


def test_outlines_lie_where_the_window_does() -> None:
    (here,), (there,) = middle_rings(RING), middle_rings(RING, origin_xy=(7, 5))
    assert (there - here == [7, 5]).all()


def test_joined_islands_are_one_polygon_that_is_the_islands_but_for_thin_lines() -> None:
    window = np.zeros((30, 50), dtype=np.bool_)
    for y, x in ((2, 3), (4, 30), (18, 12)):
        window[y : y + 9, x : x + 12] = True
    rings = middle_rings(window)
    assert len(rings) == 3
    found = drawn_by_opencv([joined(rings)], window.shape)
    assert found[window].all()
    assert (found & ~window).sum() <= 40  # two lines
    assert (joined(rings[:1]) == rings[0]).all()
