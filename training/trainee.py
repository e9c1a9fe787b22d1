"""`nano` as training calls it: for prompts of several pictures at once, in windows only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.nano.mask_head import CELLS, WindowPrompts
from mobilesamv2.models.nano.model import NanoModel
from mobilesamv2.models.nano.windows import POINT_WINDOWS, box_windows, point_windows
from mobilesamv2.models.preprocess import PIXEL_MEAN, PIXEL_STD

from .crops import MASK_STRIDE, Batch

MEAN = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1)
DEVIATION = torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
PRIOR_SHARE = 0.1
"""Share of prompts that come with an earlier mask."""
OTHER_WINDOW_SHARE = 0.5
"""Share of points that are also looked at in a window that does not suit them, for the predicted IoU alone."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says in W windows of the N prompts of a batch.

    Args:
        windows: (W, 4).
        owner: (W,), whose they are.
        suits: (W,), whether the mask is to be learnt there; the predicted IoU is everywhere.
        has_prior: (W,), whether the model was told an earlier mask.
        wanted: (W, K, K), the true masks there, 0 to 1.
        logits: (W, K, K).
        iou: (W,), predicted.
    """

    windows: Tensor
    owner: Tensor
    suits: Tensor
    has_prior: Tensor
    wanted: Tensor
    logits: Tensor
    iou: Tensor


def answer(model: NanoModel, batch: Batch) -> Answers:
    """Answer all prompts of a batch, each in the window that suits its object, some points in another one too."""
    device = batch.pixels.device
    pixels = (batch.pixels.float() - MEAN.to(device)) / DEVIATION.to(device)
    features = model.image_encoder(pixels * batch.inside)
    shared = model.mask_head.share(features.detail, features.parts, features.context)
    shared = replace(shared, side=_drawn_side(shared.side, model.input_side))
    by_size = point_windows(batch.points, batch.labels, side=shared.side)  # (N, 3, 4)
    suiting = _suiting_window(batch, side=shared.side)
    every = torch.arange(len(suiting), device=device)
    windows = torch.where(batch.is_box[:, None], box_windows(batch.boxes_xyxy), by_size[every, suiting])
    kind = torch.where(batch.is_box, 0, 1 + suiting)
    others = torch.nonzero(~batch.is_box & (torch.rand(len(every), device=device) < OTHER_WINDOW_SHARE))[:, 0]
    other = (suiting[others] + torch.randint(1, 3, (len(others),), device=device)) % len(POINT_WINDOWS)
    owner = torch.cat([every, others])
    windows = torch.cat([windows, by_size[others, other]])
    wanted = seen_in(windows, batch.targets[owner, None].float(), side=2 * CELLS, stride=MASK_STRIDE)
    has_prior = batch.has_mask[owner] & (torch.rand(len(owner), device=device) < PRIOR_SHARE)
    prompts = WindowPrompts(
        windows=windows,
        picture=owner // (len(batch.is_box) // len(batch.pixels)),
        kind=torch.cat([kind, 1 + other]),
        points=batch.points[owner],
        labels=batch.labels[owner],
        prior=_worse(wanted) * has_prior[:, None, None, None],
    )
    logits, iou = model.mask_head(shared, prompts)
    return Answers(
        windows=windows,
        owner=owner,
        suits=torch.arange(len(owner), device=device) < len(every),
        has_prior=has_prior,
        wanted=wanted[:, 0],
        logits=logits,
        iou=iou,
    )


def _drawn_side(crop_side: float, input_side: int) -> float:
    """Side of the picture that windows around points are shares of, in pixels: half of the time the crop's.

    Else up to the model's own. So the windows for small objects are also learnt at the resolution they have in use, and
    those for large objects still show objects that fill them.
    """
    share = max(0.0, 2 * float(torch.rand(())) - 1)
    return float(crop_side * (input_side / crop_side) ** share)


def _suiting_window(batch: Batch, *, side: float) -> Tensor:
    """Which window of a point (N,) shows its object best: the smallest that is a little larger than it."""
    sides = (batch.boxes_xyxy[:, 2:] - batch.boxes_xyxy[:, :2]).amax(1) / side
    first, second = POINT_WINDOWS[:2]
    return (sides > first * 0.85).long() + (sides > second * 0.85).long()


def _worse(wanted: Tensor) -> Tensor:
    """Logits (W, 1, CELLS, CELLS) that an earlier model may have given for true masks: with faults in places."""
    noise = F.interpolate(torch.randn(len(wanted), 1, 5, 5, device=wanted.device), size=(CELLS, CELLS), mode="bicubic")
    return 6 * (F.avg_pool2d(wanted, 2) - 0.5) + 4 * noise


def seen_in(windows: Tensor, pictures: Tensor, *, side: int, stride: int) -> Tensor:
    """What windows (N, 4) show of pictures (N, C, h, w) with pixels of `stride`: (N, C, side, side)."""
    steps = (torch.arange(side, device=windows.device) + 0.5) / side
    share = torch.stack([steps.expand(side, side), steps[:, None].expand(side, side)], dim=-1)
    low, high = windows[:, None, None, :2], windows[:, None, None, 2:]
    size = stride * torch.tensor([pictures.shape[3], pictures.shape[2]], device=windows.device)
    place = 2 * (low + share * (high - low)) / size - 1
    return F.grid_sample(pictures, place, align_corners=False)
