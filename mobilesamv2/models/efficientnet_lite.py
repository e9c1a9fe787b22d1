"""EfficientNet-Lite0, a small convolutional backbone, as a pyramid of features.

It is the network of Tan and Le's EfficientNet (2019) in the form that TensorFlow published as "Lite": without squeeze
and excitation, ReLU6 for swish. TensorFlow's padding is kept, since ImageNet's weights need it: uneven at stride 2.
Knows no task and no file; what reads its maps is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-3
"""Added to the variance in every batch norm; PyTorch's own 1e-5 changes what ImageNet's weights compute."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one width.

    Args:
        expansion: channels inside a block, as a multiple of those that enter it.
        kernel: side of the depthwise kernels.
        stride: of the first block; all others have 1.
        channels: what every block gives.
        repeats: number of blocks.
    """

    expansion: int
    kernel: int
    stride: int
    channels: int
    repeats: int


STEM_CHANNELS = 32
STAGES = (
    Stage(expansion=1, kernel=3, stride=1, channels=16, repeats=1),
    Stage(expansion=6, kernel=3, stride=2, channels=24, repeats=2),
    Stage(expansion=6, kernel=5, stride=2, channels=40, repeats=2),
    Stage(expansion=6, kernel=3, stride=2, channels=80, repeats=3),
    Stage(expansion=6, kernel=5, stride=1, channels=112, repeats=3),
    Stage(expansion=6, kernel=5, stride=2, channels=192, repeats=4),
    Stage(expansion=6, kernel=3, stride=1, channels=320, repeats=1),
)
"""Lite0 as published."""
LEVELS = (1, 2, 4, 6)
"""Stages whose last maps are features: the deepest of each stride from 4 on."""
LEVEL_CHANNELS = tuple(STAGES[index].channels for index in LEVELS)
"""Channels of the features at strides 4, 8, 16 and 32: 24, 40, 112 and 320."""
LEVEL_STRIDES = (4, 8, 16, 32)


class SameConv(nn.Conv2d):
    """A convolution with TensorFlow's padding "SAME": at stride 2, an even side gets its odd pixel at the far end."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            inputs,
            outputs,
            kernel,
            stride=stride,
            padding=kernel // 2 if stride == 1 else 0,
            groups=groups,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, C, H, W) to (B, outputs, ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            x = F.pad(x, same_padding((x.shape[-2], x.shape[-1]), self.kernel_size[0], self.stride[0]))
        return super().forward(x)


def same_padding(size_hw: tuple[int, int], kernel: int, stride: int) -> tuple[int, int, int, int]:
    """How many zeros "SAME" adds: left, right, top, bottom, as `torch.nn.functional.pad` takes them."""
    # Of the last stride along a side `side % stride` pixels are there, or all of them.
    height, width = (max(kernel - (side % stride or stride), 0) for side in size_hw)
    return width // 2, width - width // 2, height // 2, height - height // 2


class ConvNorm(nn.Module):
    """A convolution and its batch norm, and ReLU6 after them if it is `active`."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        self.conv = SameConv(inputs, outputs, kernel, stride=stride, groups=groups)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=NORM_EPS, momentum=0.03)
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        x = self.norm(self.conv(x))
        return F.relu6(x) if self.active else x

    @torch.no_grad()
    def fold(self) -> None:
        """Put the norm into the convolution, in place: faster, the same up to rounding, for inference only."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        norm, conv = self.norm, self.conv
        scale = norm.weight / (cast(Tensor, norm.running_var) + norm.eps).sqrt()
        conv.weight.copy_(conv.weight * scale[:, None, None, None])
        conv.bias = nn.Parameter(norm.bias - cast(Tensor, norm.running_mean) * scale)
        self.norm = nn.Identity()


class Block(nn.Module):
    """An inverted residual: widen, look around depthwise, narrow; added to its input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.expand = None if expansion == 1 else ConvNorm(inputs, inside, 1)
        self.depthwise = ConvNorm(inside, inside, kernel, stride=stride, groups=inside)
        self.project = ConvNorm(inside, outputs, 1, active=False)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        inside = x if self.expand is None else self.expand(x)
        found: Tensor = self.project(self.depthwise(inside))
        return x + found if self.residual else found


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 without its classifier, 2.96 M parameters.

    Args:
        stages: the table of its blocks.
        levels: indices of the stages whose maps `features` gives.
    """

    def __init__(self, *, stages: tuple[Stage, ...] = STAGES, levels: tuple[int, ...] = LEVELS) -> None:
        super().__init__()
        self.stem = ConvNorm(3, STEM_CHANNELS, 3, stride=2)
        self.stages = nn.ModuleList()
        channels = STEM_CHANNELS
        for stage in stages:
            blocks = []
            for index in range(stage.repeats):
                blocks.append(
                    Block(
                        channels,
                        stage.channels,
                        expansion=stage.expansion,
                        kernel=stage.kernel,
                        stride=stage.stride if index == 0 else 1,
                    )
                )
                channels = stage.channels
            self.stages.append(nn.Sequential(*blocks))
        self.levels = levels

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Maps at several strides.

        Args:
            pictures: (B, 3, H, W) RGB as `normalise` gives it.

        Returns:
            One map per level, finest first: (B, 24, H/4, W/4), (B, 40, H/8, W/8), (B, 112, H/16, W/16) and
            (B, 320, H/32, W/32), sides rounded up. No activation follows the last convolution of a map.
        """
        maps = []
        x = self.stem(pictures)
        for index, stage in enumerate(self.stages[: max(self.levels) + 1]):
            x = stage(x)
            if index in self.levels:
                maps.append(x)
        return maps

    forward = features


def normalise(pictures: Tensor) -> Tensor:
    """Bring RGB in 0..1 to what the network was trained on: (x - 127) / 128 for x in 0..255."""
    return (pictures * 255 - 127) / 128


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold the batch norm of every `ConvNorm` in a network into its convolution, in place; gives the network back.

    For inference only. Call it after the weights are loaded: the state-dict keys change.
    """
    for module in network.modules():
        if isinstance(module, ConvNorm):
            module.fold()
    return network
