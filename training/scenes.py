"""Draws scenes whose boxes and masks are exact: shapes that overlap, with parts, on varied backgrounds.

Photographs are rarely labelled to the last object; these scenes are, so they teach what is *not* an object. Everything
is drawn from the generator that is handed in: the same generator state gives the same scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mobilesamv2.types import Bools, Floats, Picture

Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn picture with every object, part and region of ground in it.

    Args:
        picture: uint8 RGB (H, W, 3).
        masks: bool (N, H, W), what is visible of each; parts lie inside the masks of their wholes.
        boxes_xyxy: float32 (N, 4), the tightest box of each mask, x1 and y1 one past the last pixel.
    """

    picture: Picture
    masks: Bools
    boxes_xyxy: Floats


def draw_scene(rng: Rng, *, size_hw: tuple[int, int]) -> Scene:
    """Draw a scene of 3 to about 60 objects; those of which hardly anything stays visible are not labelled."""
    height, width = size_hw
    canvas = _texture(rng, size_hw)
    masks: list[Bools] = []
    if rng.random() < 0.5:  # a horizon: two regions of ground
        line = np.interp(
            np.arange(width),
            np.linspace(0, width, 5),
            height * (rng.uniform(0.2, 0.8) + rng.normal(0, 0.04, 5)),
        )
        below = np.arange(height)[:, None] >= line[None, :]
        canvas[below] = _texture(rng, size_hw)[below]
        masks = [~below, below]
    elif rng.random() < 0.5:
        masks = [np.ones(size_hw, dtype=np.bool_)]
    for _ in range(int(rng.integers(2, 14))):
        kind = rng.random()
        if kind < 0.15:
            _paint_row(rng, canvas, masks)
        elif kind < 0.3:
            _paint(rng, canvas, masks, _line(rng, size_hw))
        else:
            side = min(size_hw) * float(np.exp(rng.uniform(np.log(0.04), np.log(0.7))))
            centre = rng.uniform(0, 1, 2) * (width, height)
            whole = _shape(rng, size_hw, centre=centre, side=side)
            _paint(rng, canvas, masks, whole)
            if side > 0.15 * min(size_hw) and rng.random() < 0.5:
                for _ in range(int(rng.integers(1, 5))):
                    at = centre + rng.uniform(-0.35, 0.35, 2) * side
                    part = _shape(rng, size_hw, centre=at, side=side * rng.uniform(0.12, 0.45)) & whole
                    _paint(rng, canvas, masks, part, nested=True)
    return _finished(rng, canvas, masks)


def draw_crowd(rng: Rng, *, size_hw: tuple[int, int]) -> Scene:
    """Draw hundreds of small objects of a few kinds, such as pebbles or berries: 200 to 450.

    Those of one kind have nearly one size and look alike. They lie on a shaken grid, so that some touch or overlap.
    """
    height, width = size_hw
    canvas = _texture(rng, size_hw)
    masks: list[Bools] = []
    count = int(rng.integers(200, 450))
    columns = round((count * width / height) ** 0.5)
    rows = -(-count // columns)
    cell = np.array([width / columns, height / rows])
    kinds = [(rng.uniform(0.5, 1.0), int(rng.integers(2**32))) for _ in range(int(rng.integers(1, 4)))]
    for place in rng.permutation(rows * columns)[:count]:
        size, look = kinds[int(rng.integers(len(kinds)))]
        centre = (np.array([place % columns, place // columns]) + 0.5 + rng.normal(0, 0.25, 2)) * cell
        side = float(cell.min()) * size * rng.uniform(0.85, 1.15)
        _paint(np.random.default_rng(look), canvas, masks, _shape(rng, size_hw, centre=centre, side=side))
    return _finished(rng, canvas, masks)


def _finished(rng: Rng, canvas: Floats, masks: list[Bools]) -> Scene:
    """Blur and grain over what was drawn, and the masks of which enough is visible."""
    height, width = canvas.shape[:2]
    if rng.random() < 0.7:
        canvas = np.asarray(cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.4, 1.0)), dtype=np.float32)
    canvas = canvas + rng.normal(0, rng.uniform(0, 8), (height, width, 1)).astype(np.float32)
    least = max(16.0, 2e-4 * height * width)
    visible = [mask for mask in masks if mask.sum() >= least]
    stacked = np.array(visible, dtype=np.bool_).reshape(-1, height, width)
    return Scene(
        picture=np.clip(canvas, 0, 255).astype(np.uint8),
        masks=stacked,
        boxes_xyxy=np.array([_box(mask) for mask in stacked], dtype=np.float32).reshape(-1, 4),
    )


def _box(mask: Bools) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _paint(rng: Rng, canvas: Floats, masks: list[Bools], shape: Bools, *, nested: bool = False) -> None:
    """Draw a shape onto the canvas and hide what it covers of others; a nested one hides only other parts' pixels.

    A nested shape must lie inside a mask that is already there; it does not cut a hole into any mask.
    """
    if not shape.any():
        return
    x0, y0, x1, y1 = _box(shape)
    window = np.s_[y0:y1, x0:x1]
    inside = shape[window]
    if not nested and rng.random() < 0.4:  # a soft shadow to the lower right
        shadow = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), max(1.0, 0.04 * (x1 - x0)))
        offset = np.array([[1, 0, 0.03 * (x1 - x0) + 1], [0, 1, 0.03 * (y1 - y0) + 1]])
        shadow = cv2.warpAffine(shadow, offset, (shape.shape[1], shape.shape[0]))
        canvas *= 1 - np.float32(rng.uniform(0.2, 0.6)) * shadow[..., None]
    texture = _texture(rng, (y1 - y0, x1 - x0))
    if rng.random() < 0.6:  # shade across the shape, as light does
        direction = rng.normal(size=2)
        y, x = np.mgrid[-1 : 1 : (y1 - y0) * 1j, -1 : 1 : (x1 - x0) * 1j]
        texture *= (1 + rng.uniform(0.1, 0.4) * (direction[0] * x + direction[1] * y))[..., None].astype(np.float32)
    canvas[window][inside] = texture[inside]
    if rng.random() < 0.2:  # a drawn outline
        edge = inside & ~cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
        canvas[window][edge] = rng.uniform(0, 255, 3)
    if not nested:
        for mask in masks:
            mask[window] &= ~inside
    masks.append(shape)


def _paint_row(rng: Rng, canvas: Floats, masks: list[Bools]) -> None:
    """Draw a row or grid of equal rectangles, as windows on a house or books on a shelf."""
    height, width = canvas.shape[:2]
    rows, columns = int(rng.integers(1, 4)), int(rng.integers(2, 7))
    cell = rng.uniform(0.05, 0.15, 2) * (width, height)
    origin = rng.uniform(0, 0.6, 2) * (width, height)
    fill = rng.uniform(0.5, 0.95, 2)
    state = rng.bit_generator.state
    for row in range(rows):
        for column in range(columns):
            if rng.random() < 0.85:
                x, y = (origin + cell * (column, row)).astype(int)
                shape = np.zeros((height, width), dtype=np.bool_)
                shape[max(y, 0) : y + int(cell[1] * fill[1]), max(x, 0) : x + int(cell[0] * fill[0])] = True
                twin = np.random.default_rng(0)
                twin.bit_generator.state = state  # all look alike
                _paint(twin, canvas, masks, shape)


def _shape(rng: Rng, size_hw: tuple[int, int], *, centre: npt.NDArray[np.float64], side: float) -> Bools:
    """A filled shape of about the given side around a centre (x, y)."""
    stretch = float(np.exp(rng.uniform(-0.9, 0.9)))
    radii = 0.5 * side * np.array([stretch**0.5, stretch**-0.5])
    kind = rng.random()
    if kind < 0.3:  # a blob: a circle whose radius varies smoothly
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        radius = np.ones(48)
        for order in range(2, 7):
            radius += rng.normal(0, 0.25 / order) * np.cos(order * angles + rng.uniform(0, 6.3))
        outline = radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    elif kind < 0.55:
        angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    elif kind < 0.85:
        outline = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.9
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        outline = rng.uniform(0.6, 1.1, (len(angles), 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    turn = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else 0.0
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    polygon = (outline * radii) @ rotation.T + centre
    return _filled(size_hw, polygon)


def _line(rng: Rng, size_hw: tuple[int, int]) -> Bools:
    """A thin, bent thing: a pole, a branch, a cable."""
    height, width = size_hw
    start, heading = rng.uniform(0, 1, 2) * (width, height), rng.uniform(0, 2 * np.pi)
    points = [start]
    length = rng.uniform(0.1, 0.8) * min(size_hw) / 6
    bend = rng.choice([0.0, 0.1, 0.4])
    for _ in range(6):
        points.append(points[-1] + length * np.array([np.cos(heading), np.sin(heading)]))
        heading += rng.normal(0, bend)
    mask = np.zeros(size_hw, dtype=np.uint8)
    thickness = int(rng.integers(2, max(3, int(0.03 * min(size_hw)) + 1)))
    cv2.polylines(mask, [np.round(points).astype(np.int32)], False, 1, thickness)
    return mask.astype(np.bool_)


def _filled(size_hw: tuple[int, int], polygon: npt.NDArray[np.float64]) -> Bools:
    mask = np.zeros(size_hw, dtype=np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], 1)
    return mask.astype(np.bool_)


def _texture(rng: Rng, size_hw: tuple[int, int]) -> Floats:
    """A surface, float32 (H, W, 3) in 0..255: plain, graded, noisy, striped or chequered."""
    height, width = size_hw
    grey = rng.uniform(0, 255)
    first = (grey + rng.uniform(0, 1) ** 2 * (rng.uniform(0, 255, 3) - grey)).astype(np.float32)
    other = np.clip(first + rng.normal(0, 50, 3), 0, 255).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    kind = rng.random()
    if kind < 0.3:
        blend = np.zeros(size_hw, dtype=np.float32)
    elif kind < 0.5:
        blend = (x / width if rng.random() < 0.5 else y / height).astype(np.float32)
    elif kind < 0.75:  # clouds: coarse noise, enlarged, at two scales
        blend = np.zeros(size_hw, dtype=np.float32)
        for cells in (int(rng.integers(2, 6)), int(rng.integers(8, 32))):
            noise = rng.random((cells, cells)).astype(np.float32)
            blend += 0.5 * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    else:
        angle, period = rng.uniform(0, np.pi), rng.uniform(3, 24)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
        if kind > 0.9:
            wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * (2 * np.pi / period))
        blend = (wave > 0).astype(np.float32)
    return np.asarray(first + (other - first) * blend[..., None], dtype=np.float32)
