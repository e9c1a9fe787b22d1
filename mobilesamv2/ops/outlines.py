"""The outlines of masks as polygons, in two forms, for the programs that read polygons fill them in two ways.

A polygon along the edges of pixels is the mask itself where the inside is filled (COCO, CVAT). Programs that also draw
the line (OpenCV, Pillow, and so Ultralytics and labelme) would make the mask larger by it: they are given a line
through the middles of the outermost pixels.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..arrays import Bools, Floats, Ints

# Right, down, left, up: the mask is at the right hand of who goes along its edge.
_STEPS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])


def edge_rings(window: Bools, *, origin_xy: tuple[int, int] = (0, 0)) -> tuple[list[Ints], list[Ints]]:
    """Outlines along the edges of pixels, exactly.

    Args:
        window: bool (h, w).
        origin_xy: where its first pixel is in the picture.

    Returns:
        The outer rings, clockwise, one for each island, and the rings of holes, anticlockwise: int64 (K, 2) each, x
        before y, corners only, the first not repeated. Pixel (x, y) reaches from x to x + 1. Pixels that touch at a
        corner are islands of their own.
    """
    starts, directions = _edges(window)
    if len(starts) == 0:
        return [], []
    stride = window.shape[1] + 1
    following = _following(starts, directions, stride).tolist()
    outer: list[Ints] = []
    holes: list[Ints] = []
    seen = bytearray(len(following))
    for first in range(len(following)):
        if seen[first]:
            continue
        ring, at = [], first
        while not seen[at]:
            seen[at] = 1
            ring.append(at)
            at = following[at]
        turns = directions[ring] != directions[np.roll(ring, 1)]
        y, x = np.divmod(starts[ring][turns], stride)
        corners = np.stack([x + origin_xy[0], y + origin_xy[1]], axis=1)
        (outer if _area_twice(corners) > 0 else holes).append(corners)
    return outer, holes


def middle_rings(window: Bools, *, origin_xy: tuple[int, int] = (0, 0)) -> list[Floats]:
    """Outer outlines through the middles of the outermost pixels, exactly, for programs that draw the line too.

    Holes are lost, with what lies in them. Whoever fills the polygons and draws their lines, with coordinates cut to
    whole numbers, has the mask with its holes filled.

    Args:
        window, origin_xy: as in `edge_rings`.

    Returns:
        float32 (K, 2), K >= 3, for each island; pixels that touch at a corner are one. Pixel (x, y) has its middle at
        x + 0.5. Of an island so narrow that it has no inside, points come twice.
    """
    found, _ = cv2.findContours(window.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rings: list[Floats] = []
    for contour in found:
        points: Floats = (contour.reshape(-1, 2) + 0.5 + np.array(origin_xy)).astype(np.float32)
        rings.append(np.resize(points, (3, 2)) if len(points) < 3 else points)
    return rings


def joined(rings: list[Floats]) -> Floats:
    """Several rings as one polygon, for formats that allow one: a line leads from ring to ring, and back the same way.

    Returns:
        float32 (K, 2). The rings follow each other as they come, each from a point near it.
    """
    path = rings[0]
    for ring in rings[1:]:
        path = np.roll(path, -_nearest(path, ring.mean(axis=0)), axis=0)
        around = np.roll(ring, -_nearest(ring, path[0]), axis=0)
        path = np.concatenate([path[:1], around, around[:1], path])
    return path


def _nearest(points: Floats, to: Floats) -> int:
    return int(((points - to) ** 2).sum(axis=1).argmin())


def _edges(window: Bools) -> tuple[Ints, Ints]:
    """Every edge between a pixel of the mask and one that is none: where it starts, and its direction (`_STEPS`).

    Corners are numbered row by row, one more in each row than there are pixels.
    """
    height, width = window.shape
    framed = np.zeros((height + 2, width + 2), dtype=np.bool_)
    framed[1:-1, 1:-1] = window
    inside, stride = framed[1:-1, 1:-1], width + 1
    neighbours = (framed[:-2, 1:-1], framed[1:-1, 2:], framed[2:, 1:-1], framed[1:-1, :-2])
    corners = (
        0,
        1,
        stride + 1,
        stride,
    )  # of a pixel, where the edge above it starts, the one right of it, and so on
    starts, directions = [], []
    for direction, (neighbour, corner) in enumerate(zip(neighbours, corners, strict=True)):
        y, x = np.nonzero(inside & ~neighbour)
        starts.append(y * stride + x + corner)
        directions.append(np.full(len(x), direction))
    return np.concatenate(starts), np.concatenate(directions)


def _following(starts: Ints, directions: Ints, stride: int) -> Ints:
    """Which edge comes after each one. Where two start, the one to the right: it is of the same pixel."""
    keys = 4 * starts + directions
    order = np.argsort(keys)
    ranked = keys[order]
    ends = starts + _STEPS[directions, 0] + stride * _STEPS[directions, 1]
    following = np.full(len(keys), -1, dtype=np.int64)
    for turn in (1, 0, 3):
        wanted = 4 * ends + (directions + turn) % 4
        place = np.searchsorted(ranked, wanted).clip(max=len(keys) - 1)
        found = (ranked[place] == wanted) & (following < 0)
        following[found] = order[place[found]]
    return following


def _area_twice(ring: Ints) -> int:
    x, y = ring.T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())
