"""Prompts as pictures: what a box or a point looks like as SAM's mask prompt. Frames are pixels of that picture."""

from __future__ import annotations

import torch
from torch import Tensor

_HALF_WAY = 8.0
"""Pixels from a point at which its bump has half its height. The slopes are long, so that every pixel learns how far
from the point it is; from a narrow Gaussian a network learns next to nothing at first."""


def draw_boxes(boxes_xyxy: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Draw N boxes: -1 outside, a dome inside, 1 in the centre, 0.5 in the middle of an edge, 0 in a corner.

    The dome tells each pixel where in the box it is: objects fill the middle of their box, seldom its corners. A pixel
    that a box covers in part gets its share of both.

    Args:
        boxes_xyxy: float (N, 4), x0 y0 x1 y1.
        size_hw: height and width of the picture.

    Returns:
        float (N, height, width).
    """
    rows = torch.arange(size_hw[0], device=boxes_xyxy.device, dtype=boxes_xyxy.dtype)
    columns = torch.arange(size_hw[1], device=boxes_xyxy.device, dtype=boxes_xyxy.dtype)
    x0, y0, x1, y1 = boxes_xyxy[:, :, None].unbind(1)  # (N, 1) each
    covered_x = (torch.minimum(x1, columns + 1) - torch.maximum(x0, columns)).clamp(0, 1)
    covered_y = (torch.minimum(y1, rows + 1) - torch.maximum(y0, rows)).clamp(0, 1)
    across = ((columns + 0.5 - (x0 + x1) / 2) / (x1 - x0).clamp(min=1)) ** 2
    down = ((rows + 0.5 - (y0 + y1) / 2) / (y1 - y0).clamp(min=1)) ** 2
    dome = (1 - 2 * (across[:, None, :] + down[:, :, None])).clamp(0, 1)
    return covered_y[:, :, None] * covered_x[:, None, :] * (dome + 1) - 1


def draw_points(points: Tensor, labels: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Draw N sets of P points: each a bump of height 1, or -1 where it is background; padding (-1) draws nothing.

    Args:
        points: float (N, P, 2), x before y.
        labels: (N, P), 1 foreground, 0 background, -1 padding.
        size_hw: height and width of the picture.

    Returns:
        float (N, height, width), the sum over the points of each set.
    """
    rows = torch.arange(size_hw[0], device=points.device, dtype=points.dtype)
    columns = torch.arange(size_hw[1], device=points.device, dtype=points.dtype)
    x, y = points.unbind(-1)  # (N, P) each
    along_x = (columns + 0.5 - x[..., None])[:, :, None, :]
    along_y = (rows + 0.5 - y[..., None])[:, :, :, None]
    distance = (along_x**2 + along_y**2).sqrt()  # (N, P, height, width)
    sign = (labels == 1).to(points.dtype) - (labels == 0).to(points.dtype)
    return (sign[:, :, None, None] / (1 + distance / _HALF_WAY)).sum(1)


def grown(cells: Tensor, *, more: float = 1.0, least: float = 0.0) -> Tensor:
    """float (N, h, w): the bounding box of each set of cells, with a margin of two fifths of its sides on each side.

    The margin is `more` cells wider than that, and at least `least` cells.
    """

    def along(occupied: Tensor) -> Tensor:
        positions = torch.arange(occupied.shape[1], device=occupied.device)
        first = occupied.int().argmax(1)
        last = occupied.shape[1] - 1 - occupied.flip(1).int().argmax(1)
        margin = (0.4 * (last - first + 1) + more).clamp(min=least)
        return (positions >= (first - margin)[:, None]) & (positions <= (last + margin)[:, None])

    return (along(cells.any(2))[:, :, None] & along(cells.any(1))[:, None, :]).float()
