"""First guesses at masks, made in a window around each prompt that scales with it.

In a window all objects have about the same size, so a small network learns their shapes from few examples, as the mask
heads of detectors do (RoIAlign and its mask head, arXiv 1703.06870; a mask around a point at several scales, arXiv
1506.06204). The decoder is shown the guesses and corrects them. Frames are pixels of the model's square input.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder import ConvBnRelu

CELLS = 32
"""Cells along a window's side that features are read at; the guess has twice as many."""
BOX_MARGIN = 0.25
"""What a window adds to a box on each side, as a share of the box's side."""
SMALLEST_BOX = 8.0
"""Sides below this many pixels are taken for this long."""
POINT_WINDOWS = (0.125, 0.4, 1.25)
"""Sides of the windows around a point, as shares of the input's side: for a small, a middling and a large object."""
OUTSIDE = -3.0
"""Logit where a window ends."""
_KINDS = 1 + len(POINT_WINDOWS)


def box_windows(boxes_xyxy: Tensor) -> Tensor:
    """Windows (N, 4) around boxes (N, 4)."""
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    half = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).clamp(min=SMALLEST_BOX) * (0.5 + BOX_MARGIN)
    return torch.cat([centre - half, centre + half], dim=1)


def point_windows(points: Tensor, labels: Tensor, *, side: float) -> Tensor:
    """Windows (N, 3, 4) around sets of points (N, P, 2), the smallest first.

    They are centred on the foreground points, and large enough to show all of these.

    Args:
        points: x before y.
        labels: (N, P), 1 foreground; the others are only looked at where a set has no foreground.
        side: of the model's input.
    """
    counted = (labels == 1) | ~(labels == 1).any(1, keepdim=True)
    low = points.masked_fill(~counted[..., None], torch.inf).amin(1)
    high = points.masked_fill(~counted[..., None], -torch.inf).amax(1)
    centre = (low + high) / 2 + 0.5
    sides = side * points.new_tensor(POINT_WINDOWS)
    half = torch.maximum(sides[None] / 2, 0.75 * (high - low).amax(1)[:, None])[..., None]  # (N, 3, 1)
    return torch.cat([centre[:, None] - half, centre[:, None] + half], dim=2)


class RoiMaskHead(nn.Module):
    """Guess the mask of each prompt inside its windows, with a small network that sees features and the prompt."""

    def __init__(self, *, detail: int, width: int = 32) -> None:
        super().__init__()
        self.kind = nn.Embedding(_KINDS, width)
        self.enter = nn.Conv2d(detail + 5, width, kernel_size=3, padding=1)
        self.fine = ConvBnRelu(width, width)
        self.middle = nn.Sequential(ConvBnRelu(width, 2 * width, stride=2), ConvBnRelu(2 * width, 2 * width))
        self.coarse = nn.Sequential(
            ConvBnRelu(2 * width, 3 * width, stride=2),
            ConvBnRelu(3 * width, 3 * width),
            ConvBnRelu(3 * width, 3 * width),
        )
        self.coarse_up = nn.Conv2d(3 * width, 2 * width, kernel_size=1)
        self.middle_out = ConvBnRelu(2 * width, 2 * width)
        self.middle_up = nn.Conv2d(2 * width, width, kernel_size=1)
        self.fine_out = ConvBnRelu(width, width)
        self.leave = nn.Conv2d(width, 4, kernel_size=3, padding=1)

    def forward(
        self,
        detail: Tensor,
        *,
        windows: Tensor,
        kind: Tensor,
        alike: Tensor,
        side: float,
        boxes: bool,
        points: Tensor | None,
        labels: Tensor | None,
    ) -> Tensor:
        """Guess N masks.

        Args:
            detail: (B, C, H, W), features of B pictures at any stride.
            windows: (N, 4), N / B on each picture in turn.
            kind: (N,), 0 for the window of a box, 1 to 3 for those of points.
            alike: (N, h, w), the first guess by likeness, logits.
            side: of the model's input.
            boxes: whether the windows belong to boxes.
            points: (N, P, 2) and their labels (N, P), or None.
            labels: see `points`.

        Returns:
            Logits (N, 2 * CELLS, 2 * CELLS) over the windows.
        """
        each = len(windows) // max(1, len(detail))
        xy = _cell_centres(windows)  # (N, CELLS, CELLS, 2)
        place = 2 * xy / side - 1
        seen = F.grid_sample(
            detail.float(),
            place.view(len(detail), each * CELLS, CELLS, 2),
            align_corners=False,
            padding_mode="border",
        )  # (B, C, N / B * CELLS, CELLS)
        seen = seen.view(len(detail), detail.shape[1], each, CELLS, CELLS).transpose(1, 2).flatten(0, 1)
        likely = F.grid_sample(
            alike.float()[:, None].tanh(), place, align_corners=False, padding_mode="border"
        )
        shape = (windows[:, 2:] - windows[:, :2]) / side
        scale = shape.clamp(min=1e-3).log()[:, :, None, None].expand(-1, -1, CELLS, CELLS)
        prompt = seen.new_zeros(len(windows), 2, CELLS, CELLS)
        if boxes:
            prompt[:, 0] = _dome(windows)
        if points is not None and labels is not None:
            extent = shape.amax(1)[:, None, None, None] * side
            distance = (xy[:, None] - (points[:, :, None, None] + 0.5)).norm(dim=-1) / extent  # (N, P, ...)
            sign = (labels == 1).float() - (labels == 0).float()
            prompt[:, 1] = (sign[:, :, None, None] / (1 + 16 * distance)).sum(1)
        x = self.enter(torch.cat([seen, likely, scale, prompt], dim=1))
        fine = self.fine(F.relu(x + self.kind(kind)[:, :, None, None]))
        middle = self.middle(fine)
        coarse = F.interpolate(self.coarse_up(self.coarse(middle)), scale_factor=2.0, mode="nearest")
        middle = self.middle_out(middle + coarse)
        fine = self.fine_out(fine + F.interpolate(self.middle_up(middle), scale_factor=2.0, mode="nearest"))
        return F.pixel_shuffle(self.leave(fine), 2)[:, 0]


def pasted(guess: Tensor, windows: Tensor, *, size_hw: tuple[int, int], stride: float) -> Tensor:
    """Put guesses (N, K, K) where their windows (N, 4) are: logits (N, height, width), pixels of `stride`."""
    x0, y0, x1, y1 = windows.float().unbind(1)
    down = _hats(y0, y1, count=size_hw[0], stride=stride, cells=guess.shape[1])  # (N, height, K)
    across = _hats(x0, x1, count=size_hw[1], stride=stride, cells=guess.shape[2])
    return (down @ (guess.float() - OUTSIDE) @ across.transpose(1, 2)).add_(OUTSIDE)


def _hats(low: Tensor, high: Tensor, *, count: int, stride: float, cells: int) -> Tensor:
    """Weights (N, count, cells) with which pixels read the cells of a window from `low` to `high`."""
    pixels = (torch.arange(count, device=low.device) + 0.5) * stride
    scale = cells / (high - low)[:, None]  # cells per input pixel
    place = (pixels - low[:, None]) * scale - 0.5
    # Pixels larger than cells read all that they cover.
    reach = (scale * stride).clamp(min=1)[..., None]
    index = torch.arange(cells, device=low.device)
    return (1 - (place[..., None] - index).abs() / reach).clamp(min=0) / reach


def _cell_centres(windows: Tensor) -> Tensor:
    """Positions (N, CELLS, CELLS, 2) of the cells of windows (N, 4), x before y."""
    steps = (torch.arange(CELLS, device=windows.device, dtype=windows.dtype) + 0.5) / CELLS
    x = windows[:, :1] + steps * (windows[:, 2:3] - windows[:, :1])
    y = windows[:, 1:2] + steps * (windows[:, 3:] - windows[:, 1:2])
    return torch.stack([x[:, None, :].expand(-1, CELLS, -1), y[:, :, None].expand(-1, -1, CELLS)], dim=-1)


def _dome(windows: Tensor) -> Tensor:
    """What a box looks like in its own window (CELLS, CELLS): 1 in its centre, 0.5 in the middle of an edge."""
    steps = ((torch.arange(CELLS, device=windows.device) + 0.5) / CELLS - 0.5) * (1 + 2 * BOX_MARGIN)
    dome = 1 - 2 * (steps[:, None] ** 2 + steps[None, :] ** 2)
    inside = (steps.abs() < 0.5).float()
    return dome.clamp(min=0) * inside[:, None] * inside[None, :] + (inside[:, None] * inside[None, :] - 1)
