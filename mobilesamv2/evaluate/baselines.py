"""Baselines without a model: the filled box and the ellipse in it. A model should beat them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..ops.rle import encode_window
from ..types import Bools, Rle


def filled_box(box_xyxy: npt.NDArray[np.floating], *, size_hw: tuple[int, int]) -> Rle:
    """Every pixel of the picture whose centre lies in the box, as compressed run lengths."""
    x0, y0, x1, y1 = _pixels_inside(box_xyxy, size_hw=size_hw)
    window: Bools = np.ones((y1 - y0, x1 - x0), dtype=np.bool_)
    return encode_window(window, origin_yx=(y0, x0), size_hw=size_hw)


def filled_ellipse(box_xyxy: npt.NDArray[np.floating], *, size_hw: tuple[int, int]) -> Rle:
    """Every pixel of the picture whose centre lies in the ellipse in the box, as compressed run lengths."""
    x0, y0, x1, y1 = _pixels_inside(box_xyxy, size_hw=size_hw)
    left, top, right, bottom = (float(edge) for edge in box_xyxy)
    across = (np.arange(x0, x1) + 0.5 - (left + right) / 2) / max((right - left) / 2, 1e-9)
    down = (np.arange(y0, y1) + 0.5 - (top + bottom) / 2) / max((bottom - top) / 2, 1e-9)
    window: Bools = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    return encode_window(window, origin_yx=(y0, x0), size_hw=size_hw)


def _pixels_inside(box_xyxy: npt.NDArray[np.floating], *, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    # Pixel i spans i to i + 1 here, as in a box whose x1 is one past the last pixel; its centre is i + 0.5.
    height, width = size_hw
    x0, y0, x1, y1 = (int(edge) for edge in np.ceil(np.asarray(box_xyxy, dtype=np.float64) - 0.5))
    x0, y0 = min(max(x0, 0), width), min(max(y0, 0), height)
    return x0, y0, max(min(x1, width), x0), max(min(y1, height), y0)
