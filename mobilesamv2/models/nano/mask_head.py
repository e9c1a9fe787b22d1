"""The embedded model's mask head: the mask in a window around each prompt, and how good it is (predicted IoU).

In a window all objects have about the same size, so a small network learns their shapes from few examples, as the mask
heads of detectors do (arXiv 1703.06870). It is a U-Net whose every level also reads the picture's features at its own
resolution. Frames are pixels of the model's square input.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .encoder import ConvBnRelu
from .windows import BOX_MARGIN, POINT_WINDOWS, FeatureSheet, cell_centres, scale_of

CELLS = 32
"""Cells along a window's side at the U-Net's level of stride 4; the mask has twice as many."""
KINDS = 1 + len(POINT_WINDOWS)
"""0 is the window of a box, 1 to 3 are those of points."""


@dataclass(frozen=True)
class MaskHeadConfig:
    """Sizes of a mask head.

    Args:
        widths: channels at CELLS, CELLS / 2 and CELLS / 4 cells along a side.
        iou_width: channels inside the head for the predicted IoU.
    """

    widths: tuple[int, int, int] = (48, 96, 192)
    iou_width: int = 96


@dataclass(frozen=True, eq=False)
class WindowPrompts:
    """What a window's network is told of N prompts.

    Args:
        windows: float32 (N, 4).
        picture: int64 (N,), which of the pictures each lies on.
        kind: int64 (N,), 0 to 3, as `KINDS` says.
        points: (N, P, 2) with their labels (N, P), or None.
        labels: 1 foreground, 0 background, -1 padding.
        prior: logits (N, 1, CELLS, CELLS) of an earlier mask in the windows, or None; 0 where nothing is known.
    """

    windows: Tensor
    picture: Tensor
    kind: Tensor
    points: Tensor | None = None
    labels: Tensor | None = None
    prior: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SharedFeatures:
    """What the windows of B pictures read.

    Args:
        detail: stride 4, for the level with CELLS cells.
        parts: stride 8, for CELLS / 2.
        context: stride 16, for CELLS / 4.
        side: of the model's input.
    """

    detail: FeatureSheet
    parts: FeatureSheet
    context: FeatureSheet
    side: float


class MaskHead(nn.Module):
    """Masks and predicted IoUs in windows, from features of the picture and the prompt.

    Args:
        detail: channels of the features at stride 4.
        parts: at stride 8.
        context: at stride 16.
    """

    def __init__(self, config: MaskHeadConfig, *, detail: int, parts: int, context: int) -> None:
        super().__init__()
        fine, middle, coarse = config.widths
        # Convolutions of one pixel are the same before features are read as after it, and cheaper.
        self.read_parts = nn.Conv2d(parts, middle, kernel_size=1)
        self.read_context = nn.Conv2d(context, coarse, kernel_size=1)
        self.kind = nn.Embedding(KINDS, fine)
        self.enter = nn.Conv2d(detail + 5, fine, kernel_size=3, padding=1)
        self.fine = ConvBnRelu(fine, fine)
        self.middle = nn.ModuleList([ConvBnRelu(fine, middle, stride=2), ConvBnRelu(middle, middle)])
        self.coarse = nn.ModuleList(
            [ConvBnRelu(middle, coarse, stride=2), ConvBnRelu(coarse, coarse), ConvBnRelu(coarse, coarse)]
        )
        self.coarse_up = nn.Conv2d(coarse, middle, kernel_size=1)
        self.middle_out = ConvBnRelu(middle, middle)
        self.middle_up = nn.Conv2d(middle, fine, kernel_size=1)
        self.fine_out = ConvBnRelu(fine, fine)
        self.leave = nn.Conv2d(fine, 4, kernel_size=3, padding=1)
        self.iou = nn.Sequential(
            nn.Linear(2 * coarse + IOU_STATISTICS + KINDS, config.iou_width),
            nn.ReLU(inplace=True),
            nn.Linear(config.iou_width, config.iou_width),
            nn.ReLU(inplace=True),
            nn.Linear(config.iou_width, 1),
        )

    def share(self, detail: Tensor, parts: Tensor, context: Tensor) -> SharedFeatures:
        """Prepare features (B, channels, ...) at strides 4, 8 and 16, once for all prompts on those pictures."""
        return SharedFeatures(
            detail=FeatureSheet.of(detail, stride=4),
            parts=FeatureSheet.of(self.read_parts(parts), stride=8),
            context=FeatureSheet.of(self.read_context(context), stride=16),
            side=4.0 * max(detail.shape[-2:]),
        )

    def forward(self, shared: SharedFeatures, prompts: WindowPrompts) -> tuple[Tensor, Tensor]:
        """Logits (N, 2 * CELLS, 2 * CELLS) over the windows, and predicted IoUs (N,), in 0 to 1."""
        windows = prompts.windows
        place = {"picture": prompts.picture, "scale": scale_of(windows, cells=CELLS, stride=4)}
        seen = shared.detail.read(windows, cells=CELLS, **place)
        told = self._told(prompts, side=shared.side)
        x = self.enter(torch.cat([seen, told.to(seen.dtype)], dim=1).contiguous(memory_format=torch.channels_last))
        fine = self.fine(F.relu(x + self.kind(prompts.kind)[:, :, None, None]))
        middle = self.middle[1](self.middle[0](fine) + shared.parts.read(windows, cells=CELLS // 2, **place))
        coarse = self.coarse[0](middle) + shared.context.read(windows, cells=CELLS // 4, **place)
        coarse = self.coarse[2](self.coarse[1](coarse))
        middle = self.middle_out(middle + _twice(self.coarse_up(coarse)))
        fine = self.fine_out(fine + _twice(self.middle_up(middle)))
        logits = F.pixel_shuffle(self.leave(fine), 2)[:, 0].float()
        return logits, self._predicted_iou(coarse, logits, prompts.kind)

    def _told(self, prompts: WindowPrompts, *, side: float) -> Tensor:
        """(N, 5, CELLS, CELLS): an earlier mask, the window's width and height, the box, the points."""
        windows = prompts.windows
        shape = (windows[:, 2:] - windows[:, :2]) / side
        told = windows.new_zeros(windows.shape[0], CELLS, CELLS, 5).permute(
            0, 3, 1, 2
        )  # channels last, as features are
        if prompts.prior is not None:
            told[:, :1] = prompts.prior.float().tanh()
        told[:, 1:3] = shape.clamp(min=1e-3).log()[:, :, None, None]
        told[:, 3] = (prompts.kind == 0)[:, None, None] * _dome(windows.device)
        if prompts.points is not None and prompts.labels is not None:
            x, y = cell_centres(windows, CELLS)
            extent = shape.amax(1)[:, None, None, None] * side
            points = prompts.points.float() + 0.5
            away_x = x[:, None, None, :] - points[:, :, None, None, 0]
            away_y = y[:, None, :, None] - points[:, :, None, None, 1]  # (N, P, CELLS, CELLS) together
            distance = (away_x.square() + away_y.square()).sqrt() / extent
            sign = (prompts.labels == 1).float() - (prompts.labels == 0).float()
            told[:, 4] = (sign[:, :, None, None] / (1 + 16 * distance)).sum(1)
        return told

    def _predicted_iou(self, coarse: Tensor, logits: Tensor, kind: Tensor) -> Tensor:
        """(N,), from what is seen inside the mask and in all of the window, and from how sure the mask is."""
        logits = logits.detach()
        inside = F.avg_pool2d(logits.sigmoid()[:, None], 2 * CELLS // coarse.shape[-1]).flatten(2)  # (N, 1, L)
        cells = coarse.float().flatten(2)
        of_mask = (cells * inside).sum(2) / (inside.sum(2) + 0.1)
        row = torch.cat([cells.mean(2), of_mask, _statistics(logits), F.one_hot(kind, KINDS).float()], dim=1)
        return torch.as_tensor(self.iou(row.to(self.leave.weight.dtype)))[:, 0].float().sigmoid()


IOU_STATISTICS = 4


def _statistics(logits: Tensor) -> Tensor:
    """What masks (N, K, K) say of themselves, (N, IOU_STATISTICS).

    Their expected IoU if each probability is right, their share of the window, how much of it changes with the
    threshold (SAM's stability score), and the share of their window's rim that they cover.
    """
    probability = logits.sigmoid()
    mask = (logits > 0).float()
    shared = (probability * mask).sum((1, 2))
    expected = shared / (probability.sum((1, 2)) + mask.sum((1, 2)) - shared + 1)
    stability = (logits > 1).float().sum((1, 2)) / ((logits > -1).float().sum((1, 2)) + 1)
    rim = (mask[:, 0].mean(1) + mask[:, -1].mean(1) + mask[:, :, 0].mean(1) + mask[:, :, -1].mean(1)) / 4
    return torch.stack([expected, mask.mean((1, 2)), stability, rim], dim=1)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _dome(device: torch.device) -> Tensor:
    """What a box looks like in its own window (CELLS, CELLS): 1 in its centre, 0.5 in the middle of an edge, -1 around.

    Objects fill the middle of their box, seldom its corners.
    """
    steps = ((torch.arange(CELLS, device=device) + 0.5) / CELLS - 0.5) * (1 + 2 * BOX_MARGIN)
    dome = 1 - 2 * (steps[:, None] ** 2 + steps[None, :] ** 2)
    inside = (steps.abs() < 0.5).float()
    within = inside[:, None] * inside[None, :]
    return dome.clamp(min=0) * within + within - 1
