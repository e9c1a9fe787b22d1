"""The network of `nano-objects`: an anchor-free detector of one class on EfficientNet-Lite0.

A feature pyramid (PAN, arXiv 1803.01534) at strides 4 to 32 and a head that predicts, for every cell, the distances to
the four edges of a box and a confidence, as YOLOv8's does (`decode_boxes` reads them). Knows neither pictures nor
files.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..efficientnet_lite import (
    LEVEL_CHANNELS,
    LEVEL_STRIDES,
    ConvNorm,
    EfficientNetLite,
    fold_norms,
    normalise,
)

WIDTHS = (48, 64, 96, 96)
"""Channels of the pyramid and of the head's branches at each stride."""
REG_MAX = 16
"""Bins of the distribution over distances."""
PRIOR = 0.01
"""Confidence everywhere before training."""


class Pyramid(nn.Module):
    """Brings what deep maps know to fine ones, and back (a small PAN).

    Args:
        inputs: channels of the backbone's maps, finest first.
        widths: channels of the pyramid's maps.
    """

    def __init__(self, inputs: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(
            ConvNorm(channels, width, 1) for channels, width in zip(inputs, widths, strict=True)
        )
        # Of the pair of each fine level and the next coarser one.
        pairs = list(pairwise(widths))
        self.from_coarse = nn.ModuleList(ConvNorm(coarse, fine, 1, active=False) for fine, coarse in pairs)
        self.merge_down = nn.ModuleList(ConvNorm(fine, fine, 3) for fine, _ in pairs)
        self.from_fine = nn.ModuleList(ConvNorm(fine, coarse, 3, stride=2, active=False) for fine, coarse in pairs)
        self.merge_up = nn.ModuleList(ConvNorm(coarse, coarse, 3) for _, coarse in pairs)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Maps of the backbone, (B, inputs[i], H_i, W_i), to as many of (B, widths[i], H_i, W_i)."""
        levels = [layer(x) for layer, x in zip(self.lateral, maps, strict=True)]
        for index in reversed(range(len(levels) - 1)):
            coarse = F.interpolate(self.from_coarse[index](levels[index + 1]), size=levels[index].shape[-2:])
            levels[index] = self.merge_down[index](levels[index] + coarse)
        for index in range(len(levels) - 1):
            fine = self.from_fine[index](levels[index])
            levels[index + 1] = self.merge_up[index](levels[index + 1] + fine)
        return levels


class Head(nn.Module):
    """Two branches per level, one for boxes and one for confidences.

    Args:
        widths: channels of the maps it reads.
        strides: their strides in pixels.
        reg_max: bins of the distribution over distances.
    """

    def __init__(self, widths: Sequence[int], strides: Sequence[int], *, reg_max: int = REG_MAX) -> None:
        super().__init__()
        self.reg_max = reg_max
        self.stride = torch.tensor([float(stride) for stride in strides])
        self.cv2 = nn.ModuleList(_branch(width, 4 * reg_max) for width in widths)
        self.cv3 = nn.ModuleList(_branch(width, 1) for width in widths)
        for boxes, scores in zip(self.cv2, self.cv3, strict=True):
            nn.init.constant_(boxes[-1].bias, 1.0)  # type: ignore[index]
            nn.init.constant_(scores[-1].bias, math.log(PRIOR / (1 - PRIOR)))  # type: ignore[index]

    def forward(self, maps: Sequence[Tensor]) -> dict[str, Tensor | list[Tensor]]:
        """Predict for every cell, level by level, row by row.

        Returns:
            "boxes": (B, 4 * reg_max, A) logits; "scores": (B, 1, A) logits; "feats": the maps.
        """
        boxes = [branch(x).flatten(2) for branch, x in zip(self.cv2, maps, strict=True)]
        scores = [branch(x).flatten(2) for branch, x in zip(self.cv3, maps, strict=True)]
        return {"boxes": torch.cat(boxes, dim=2), "scores": torch.cat(scores, dim=2), "feats": list(maps)}


class LiteDetector(nn.Module):
    """Backbone, pyramid and head, behind the same calls as an Ultralytics `DetectionModel`.

    `model` lists the three, so that its state-dict keys begin with "model.0." as those of every detector.
    """

    def __init__(self, *, widths: Sequence[int] = WIDTHS, reg_max: int = REG_MAX) -> None:
        super().__init__()
        self.model = nn.ModuleList(
            [
                EfficientNetLite(),
                Pyramid(LEVEL_CHANNELS, widths),
                Head(widths, LEVEL_STRIDES, reg_max=reg_max),
            ]
        )

    def forward(self, pictures: Tensor) -> dict[str, Tensor | list[Tensor]]:
        """Predict on pictures (B, 3, H, W), RGB in 0..1, sides multiples of 32; see `Head`."""
        backbone, pyramid, head = self.model
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        raw: dict[str, Tensor | list[Tensor]] = head(pyramid(backbone(normalise(pictures))))
        return raw

    @property
    def backbone(self) -> EfficientNetLite:
        """The part that ImageNet's weights fit."""
        return cast(EfficientNetLite, self.model[0])

    def fuse(self, *, verbose: bool = False) -> LiteDetector:
        """Fold the batch norms, in place, as Ultralytics' networks do; `verbose` is theirs and changes nothing."""
        del verbose
        fold_norms(self)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self


def _branch(width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(ConvNorm(width, width, 3), ConvNorm(width, width, 3), nn.Conv2d(width, outputs, 1))
