"""The embedded model's image encoder, made to be fast on two CPU cores.

Dense 3 x 3 convolutions down to a thirty-second of the picture, a few attention blocks there for context, and all
levels summed at stride 8: a fine embedding gives fine masks, and most objects are small.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..kernels.linear import activated_linear, linear_plus
from ..kernels.tensor_cache import DerivedTensors
from ..layers import LayerNorm2d, convolve_and_normalise


@dataclass(frozen=True)
class NanoEncoderConfig:
    """Sizes of a nano encoder.

    Args:
        widths: channels at strides 4, 8, 16 and 32.
        depths: residual blocks at each of them.
        attention_blocks: at stride 32, after its residual blocks.
        head_width: channels of one attention head; divides the last of `widths`.
        out_width: channels of the embedding.
        detail_width: channels of a second, finer embedding at stride 4; 0: none. It comes as four times as many
            further channels of the embedding, one for each of 2 x 2 pixels (`torch.pixel_unshuffle`).
    """

    widths: tuple[int, int, int, int] = (32, 64, 128, 192)
    depths: tuple[int, int, int, int] = (1, 2, 2, 1)
    attention_blocks: int = 3
    head_width: int = 32
    out_width: int = 96
    detail_width: int = 0


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
    """Picture (N, 3, H, W), H and W multiples of 32, to embedding (N, out_width + 4 detail_width, H / 8, W / 8)."""

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
            *(
                AttentionBlock(config.widths[-1], head_width=config.head_width)
                for _ in range(config.attention_blocks)
            )
        )
        # Strides 8, 16 and 32 at full depth; stride 4 by a strided convolution, for its sharp edges.
        self.laterals = nn.ModuleList(nn.Conv2d(width, config.out_width, 1) for width in config.widths[1:])
        self.detail = nn.Conv2d(config.widths[0], config.out_width, kernel_size=2, stride=2)
        self.neck = nn.Sequential(
            nn.BatchNorm2d(config.out_width),
            nn.ReLU(inplace=True),
            ConvBnRelu(config.out_width, config.out_width),
            nn.Conv2d(config.out_width, config.out_width, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(config.out_width),
        )
        if config.detail_width:
            self.detail_lateral = nn.Conv2d(config.widths[0], config.detail_width, 1)
            self.detail_context = nn.Conv2d(config.out_width, config.detail_width, 1)
            self.detail_neck = nn.Sequential(
                nn.BatchNorm2d(config.detail_width),
                nn.ReLU(inplace=True),
                ConvBnRelu(config.detail_width, config.detail_width),
            )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        levels[-1] = self.context(levels[-1])
        total: Tensor = self.detail(levels[0])
        for level, lateral in zip(levels[1:], self.laterals, strict=True):
            part = lateral(level)
            if part.shape[-2:] != total.shape[-2:]:
                part = F.interpolate(part, size=total.shape[-2:], mode="bilinear", align_corners=False)
            total = total + part
        embedding: Tensor = self.neck(total)
        if not self.config.detail_width:
            return embedding
        context = F.interpolate(self.detail_context(embedding), scale_factor=2.0, mode="nearest")
        detail = self.detail_neck(self.detail_lateral(levels[0]) + context)
        return torch.cat([embedding, F.pixel_unshuffle(detail, 2)], dim=1)
