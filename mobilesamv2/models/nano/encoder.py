"""The embedded model's image encoder, made to be fast on two CPU cores.

Dense 3 x 3 convolutions down to a thirty-second of the picture, a few attention blocks there for context, and all
levels summed at stride 8: fine features give fine masks, and most objects are small. Beside it the first stages of
EfficientNet-Lite0, with ImageNet's weights, see the picture at half its size and add what they know.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..efficientnet_lite import LEVEL_CHANNELS, STAGES, EfficientNetLite
from ..kernels.linear import activated_linear, linear_plus
from ..kernels.tensor_cache import DerivedTensors
from ..layers import LayerNorm2d, convolve_and_normalise
from ..preprocess import PIXEL_MEAN, PIXEL_STD


@dataclass(frozen=True)
class NanoEncoderConfig:
    """Sizes of a nano encoder.

    Args:
        widths: channels at strides 4, 8, 16 and 32.
        depths: residual blocks at each of them.
        attention_blocks: at stride 32, after its residual blocks.
        head_width: channels of one attention head; divides the last of `widths`.
        parts_width: channels of the features at stride 8.
        detail_width: of those at stride 4.
        context_width: of those at stride 16; a multiple of 4.
    """

    widths: tuple[int, int, int, int] = (32, 64, 128, 192)
    depths: tuple[int, int, int, int] = (1, 2, 2, 1)
    attention_blocks: int = 3
    head_width: int = 32
    parts_width: int = 96
    detail_width: int = 64
    context_width: int = 96

    @property
    def channels(self) -> int:
        """Channels of the features that `NanoEncoder` gives, all packed at stride 8."""
        return self.parts_width + 4 * self.detail_width + self.context_width // 4


@dataclass(frozen=True, eq=False)
class NanoFeatures:
    """Features of B pictures at three strides.

    Args:
        detail: (B, detail_width, H / 4, W / 4).
        parts: (B, parts_width, H / 8, W / 8).
        context: (B, context_width, H / 16, W / 16).
    """

    detail: Tensor
    parts: Tensor
    context: Tensor

    def packed(self) -> Tensor:
        """All of them as one tensor (B, C, H / 8, W / 8)."""
        return torch.cat([self.parts, F.pixel_unshuffle(self.detail, 2), F.pixel_shuffle(self.context, 2)], dim=1)

    @classmethod
    def unpacked(cls, packed: Tensor, config: NanoEncoderConfig) -> NanoFeatures:
        """What `packed` made one."""
        parts, detail, context = torch.split(
            packed, [config.parts_width, 4 * config.detail_width, config.context_width // 4], dim=1
        )
        return cls(detail=F.pixel_shuffle(detail, 2), parts=parts, context=F.pixel_unshuffle(context, 2))


class ConvBnRelu(nn.Sequential):
    """3 x 3 convolution, batch norm, ReLU."""

    def __init__(self, in_width: int, out_width: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_width, out_width, kernel_size=3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_width),
            nn.ReLU(inplace=True),
        )
        self.derived = DerivedTensors()

    def forward(self, x: Tensor) -> Tensor:
        convolution, norm, activation = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        return torch.as_tensor(activation(convolve_and_normalise(x, convolution, norm, cache=self.derived)))


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvBnRelu(width, width)
        self.second = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.derived = DerivedTensors()

    def forward(self, x: Tensor) -> Tensor:
        changed = convolve_and_normalise(self.first(x), self.second, self.norm, cache=self.derived)
        return F.relu(changed.add_(x), inplace=True)  # nobody needs what it was, gradients neither


class AttentionBlock(nn.Module):
    """Global self-attention and a feed-forward layer; a depthwise convolution tells pixels where they are."""

    def __init__(self, width: int, *, head_width: int) -> None:
        super().__init__()
        self.heads = width // head_width
        self.position = nn.Conv2d(width, width, kernel_size=3, padding=1, groups=width)
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        height, width = x.shape[-2:]
        tokens = x.flatten(2).transpose(1, 2)  # (N, h * w, C)
        qkv = activated_linear(self.norm1(tokens), self.qkv.weight, self.qkv.bias)
        q, k, v = qkv.view(*qkv.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = linear_plus(attended, self.proj.weight, self.proj.bias, tokens)
        hidden = activated_linear(self.norm2(tokens), self.fc1.weight, self.fc1.bias, "relu")
        tokens = linear_plus(hidden, self.fc2.weight, self.fc2.bias, tokens)
        return tokens.reshape(len(x), height, width, -1).permute(0, 3, 1, 2)


class NanoEncoder(nn.Module):
    """Picture (N, 3, H, W), H and W multiples of 64, to features at strides 4, 8 and 16 (`NanoFeatures`)."""

    stride = 8

    def __init__(self, config: NanoEncoderConfig) -> None:
        super().__init__()
        self.config = config
        in_widths = (config.widths[0] // 2, *config.widths[:-1])
        self.stem = ConvBnRelu(3, in_widths[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvBnRelu(before, width, stride=2), *(ResidualBlock(width) for _ in range(depth)))
            for before, width, depth in zip(in_widths, config.widths, config.depths, strict=True)
        )
        self.context = nn.Sequential(
            *(AttentionBlock(config.widths[-1], head_width=config.head_width) for _ in range(config.attention_blocks))
        )
        self.pretrained = HalfSizeFeatures()
        # What it knows, for strides 8, 16 and 32; the last also before the attention.
        self.pretrained_laterals = nn.ModuleList(
            nn.Conv2d(width, config.parts_width, 1) for width in LEVEL_CHANNELS[:3]
        )
        self.pretrained_context = nn.Conv2d(LEVEL_CHANNELS[2], config.widths[-1], 1)
        # Strides 8, 16 and 32 at full depth; stride 4 by a strided convolution, for its sharp edges.
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.parts_width, 1) for width in config.widths[1:])
        self.detail = nn.Conv2d(config.widths[0], config.parts_width, kernel_size=2, stride=2)
        self.neck = nn.Sequential(
            nn.BatchNorm2d(config.parts_width),
            nn.ReLU(inplace=True),
            ConvBnRelu(config.parts_width, config.parts_width),
            nn.Conv2d(config.parts_width, config.parts_width, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(config.parts_width),
        )
        self.detail_lateral = nn.Conv2d(config.widths[0], config.detail_width, 1)
        self.detail_context = nn.Conv2d(config.parts_width, config.detail_width, 1)
        self.detail_neck = nn.Sequential(
            nn.BatchNorm2d(config.detail_width),
            nn.ReLU(inplace=True),
            ConvBnRelu(config.detail_width, config.detail_width),
        )
        self.wide_laterals = nn.ModuleList(
            nn.Conv2d(width, config.context_width, 1) for width in (*config.widths[2:], LEVEL_CHANNELS[2])
        )
        self.wide_neck = nn.Sequential(nn.BatchNorm2d(config.context_width), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> NanoFeatures:
        x = x.contiguous(memory_format=torch.channels_last)
        known = self.pretrained(x)
        x = self.stem(x)
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        levels[-1] = self.context(levels[-1] + self.pretrained_context(known[-1]))
        total: Tensor = self.detail(levels[0])
        for level, lateral in zip([*levels[1:], *known], [*self.laterals, *self.pretrained_laterals], strict=True):
            total = total + _at(lateral(level), total)
        parts: Tensor = self.neck(total)
        detail = self.detail_lateral(levels[0])
        detail = self.detail_neck(detail + _at(self.detail_context(parts), detail, mode="nearest"))
        wide: Tensor = self.wide_laterals[0](levels[2])
        for level, lateral in zip([levels[3], known[-1]], self.wide_laterals[1:], strict=True):
            wide = wide + _at(lateral(level), wide)
        return NanoFeatures(detail=detail, parts=parts, context=self.wide_neck(wide))


class HalfSizeFeatures(nn.Module):
    """EfficientNet-Lite0's maps of a picture at half its size: strides 8, 16 and 32 of the picture. Never trained."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = EfficientNetLite(stages=STAGES[:5], levels=(1, 2, 4)).requires_grad_(False)
        scale, shift = torch.tensor(PIXEL_STD) / 128, (torch.tensor(PIXEL_MEAN) - 127) / 128
        self.register_buffer("mean", shift.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", scale.view(1, 3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> HalfSizeFeatures:
        """Its norms keep their statistics."""
        del mode
        return super().train(False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps of pictures (N, 3, H, W), normalised as the encoder takes them."""
        half = F.avg_pool2d(x, 2) * self.deviation + self.mean  # as ImageNet's weights expect colours
        return list(self.network.features(half))


def _at(x: Tensor, like: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Features enlarged to the size of others."""
    if x.shape[-2:] == like.shape[-2:]:
        return x
    if mode == "nearest":
        return F.interpolate(x, size=like.shape[-2:], mode="nearest")
    return F.interpolate(x, size=like.shape[-2:], mode=mode, align_corners=False)
