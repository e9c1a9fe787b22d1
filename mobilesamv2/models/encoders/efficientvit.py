"""EfficientViT-SAM's image encoder: convolutions, linear attention at the coarsest level, a neck over three levels.

Written from the descriptions in "EfficientViT: Multi-Scale Linear Attention for High-Resolution Dense Prediction"
(arXiv 2205.14756) and "EfficientViT-SAM" (arXiv 2402.05008), and from the shapes of the published state dicts, whose
keys it has. It knows nothing of pictures, prompts or checkpoint files.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels.tensor_cache import DerivedTensors
from ..layers import LayerNorm2d, convolve_and_normalise, convolve_with

NORM_EPS = 1e-6
"""Of every norm in this network, batch norms too."""


@dataclass(frozen=True)
class EfficientVitConfig:
    """Sizes of an EfficientViT with SAM's neck. The defaults are L0's.

    Args:
        widths: channels of the five stages, at strides 2, 4, 8, 16 and 32.
        depths: blocks of each stage, beside the one that shrinks.
        neck_depth: blocks of the neck.
        neck_width: channels inside the neck.
        head_width: channels of one attention head; divides the last of `widths`.
        out_width: channels of the embedding.
        input_side: side in pixels of the square that the network sees; the embedding's stride is 8 of these pixels.
        squeezed_from: side in pixels of the square that `forward` takes, where it is another one: the pixels are
            squeezed to `input_side` first. MobileSAMv2 runs L2 so, with 1024; EfficientViT-SAM itself scales the
            picture to 512.
    """

    widths: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    depths: tuple[int, int, int, int, int] = (1, 1, 1, 4, 4)
    neck_depth: int = 4
    neck_width: int = 256
    head_width: int = 32
    out_width: int = 256
    input_side: int = 512
    squeezed_from: int | None = None

    @property
    def picture_side(self) -> int:
        """Side in pixels of the square that `EfficientVit.forward` takes."""
        return self.squeezed_from or self.input_side

    @property
    def embedding_side(self) -> int:
        """Side of the square embedding."""
        return self.input_side // 8


class EfficientVit(nn.Module):
    """A backbone of five stages, a neck that sums the last three, a norm.

    Args:
        config: the sizes.
    """

    def __init__(self, config: EfficientVitConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.neck = Neck(config)
        self.norm = LayerNorm2d(config.out_width, eps=NORM_EPS)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode normalised pictures.

        Args:
            pixels: (N, 3, S, S), S the picture side of the configuration.

        Returns:
            The embedding (N, out_width, E, E), E the embedding side of the configuration.

        Raises:
            ValueError: if the pixels have another size.
        """
        side, inner = self.config.picture_side, self.config.input_side
        if pixels.shape[-2:] != (side, side):
            raise ValueError(f"This EfficientViT takes {side} x {side} pixels; got {tuple(pixels.shape[-2:])}.")
        if inner != side:  # by the four nearest pixels, as MobileSAMv2 does it, not by the mean of all
            pixels = F.interpolate(pixels, size=(inner, inner), mode="bilinear", align_corners=False)
        pixels = pixels.contiguous(memory_format=torch.channels_last)  # as fast kernels want it
        features: Tensor = self.norm(self.neck(self.backbone(pixels)))
        return features


class Backbone(nn.Module):
    """Five stages; each halves the resolution, then adds to what it has."""

    def __init__(self, config: EfficientVitConfig) -> None:
        super().__init__()
        first, *others = config.widths
        stem: list[nn.Module] = [ConvLayer(3, first, 3, stride=2)]
        stem += [Residual(residual_block(first)) for _ in range(config.depths[0])]
        stages = [Chain(stem)]
        before = first
        for index, (width, depth) in enumerate(zip(others, config.depths[1:], strict=True), start=1):
            blocks: list[nn.Module]
            if index in (1, 2):
                shrink = fused_block(before, width, stride=2, expand_ratio=16)
                blocks = [Residual(fused_block(width, width, expand_ratio=4)) for _ in range(depth)]
            elif index == 3:
                shrink = inverted_block(before, width, stride=2, expand_ratio=16)
                blocks = [Residual(inverted_block(width, width, expand_ratio=4)) for _ in range(depth)]
            else:
                shrink = inverted_block(before, width, stride=2, expand_ratio=24)
                blocks = [AttentionBlock(width, head_width=config.head_width) for _ in range(depth)]
            stages.append(Chain([Residual(shrink, shortcut=False), *blocks]))
            before = width
        self.stages = nn.ModuleList(stages)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """The features of every stage, finest first."""
        levels = [pixels]
        for stage in self.stages:
            levels.append(stage(levels[-1]))
        return levels[1:]


class Neck(nn.Module):
    """Sums the last three levels at the finest of their resolutions, and mixes."""

    def __init__(self, config: EfficientVitConfig) -> None:
        super().__init__()
        width = config.neck_width
        self.side = config.embedding_side
        self.input_ops = nn.ModuleList(  # coarsest level first
            Chain([ConvLayer(channels, width, 1, activation=False)]) for channels in reversed(config.widths[2:])
        )
        self.middle = Chain([Residual(fused_block(width, width, expand_ratio=1)) for _ in range(config.neck_depth)])
        last = ConvLayer(width, config.out_width, 1, bias=True, norm=False, activation=False)
        self.output_ops = nn.ModuleList([Chain([last])])

    def forward(self, levels: list[Tensor]) -> Tensor:
        total: Tensor | None = None
        for level, narrow in zip(reversed(levels), self.input_ops, strict=False):
            part = narrow(level)
            if part.shape[-1] != self.side:
                part = F.interpolate(part, size=(self.side, self.side), mode="bicubic", align_corners=False)
            total = part if total is None else total + part
        return torch.as_tensor(self.output_ops[0](self.middle(total)))


class ConvLayer(nn.Module):
    """A convolution that keeps the size at stride 1, then perhaps a batch norm, then perhaps a GELU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        side: int,
        *,
        stride: int = 1,
        groups: int = 1,
        bias: bool = False,
        norm: bool = True,
        activation: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, side, stride=stride, padding=side // 2, groups=groups, bias=bias
        )
        self.norm = nn.BatchNorm2d(out_channels, eps=NORM_EPS) if norm else None
        self.activation = activation
        self.derived = DerivedTensors()

    def forward(self, x: Tensor) -> Tensor:
        if self.norm is None:
            x = convolve_with(x, self.conv.weight, self.conv.bias, like=self.conv)
        else:
            x = convolve_and_normalise(x, self.conv, self.norm, cache=self.derived)
        return F.gelu(x, approximate="tanh") if self.activation else x


class Chain(nn.Module):
    """Modules one after the other, under the name that the published keys have."""

    def __init__(self, modules: list[nn.Module]) -> None:
        super().__init__()
        self.op_list = nn.ModuleList(modules)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.op_list:
            x = module(x)
        return x


class Residual(nn.Module):
    """A module beside a shortcut, or, where it changes the size, without one."""

    def __init__(self, main: nn.Module, *, shortcut: bool = True) -> None:
        super().__init__()
        self.main = main
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(x + self.main(x) if self.shortcut else self.main(x))


def residual_block(width: int) -> nn.Module:
    """Two full convolutions."""
    return _named(conv1=ConvLayer(width, width, 3), conv2=ConvLayer(width, width, 3, activation=False))


def fused_block(in_channels: int, out_channels: int, *, stride: int = 1, expand_ratio: int) -> nn.Module:
    """A full convolution that widens by `expand_ratio`, then narrow: dear in sums, fast on what has much memory."""
    hidden = in_channels * expand_ratio
    return _named(
        spatial_conv=ConvLayer(in_channels, hidden, 3, stride=stride),
        point_conv=ConvLayer(hidden, out_channels, 1, activation=False),
    )


def inverted_block(in_channels: int, out_channels: int, *, stride: int = 1, expand_ratio: int) -> nn.Module:
    """Widen by `expand_ratio`, mix each channel over its neighbours, narrow; a norm only at the end."""
    hidden = in_channels * expand_ratio
    return _named(
        inverted_conv=ConvLayer(in_channels, hidden, 1, bias=True, norm=False),
        depth_conv=ConvLayer(hidden, hidden, 3, stride=stride, groups=hidden, bias=True, norm=False),
        point_conv=ConvLayer(hidden, out_channels, 1, activation=False),
    )


def _named(**layers: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(layers))


class AttentionBlock(nn.Module):
    """Linear attention for the whole picture, an inverted block for what is near."""

    def __init__(self, width: int, *, head_width: int) -> None:
        super().__init__()
        self.context_module = Residual(LinearAttention(width, head_width=head_width))
        self.local_module = Residual(inverted_block(width, width, expand_ratio=6))

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.local_module(self.context_module(x)))


class LinearAttention(nn.Module):
    """Attention whose weights are products of rectified queries and keys, at two scales.

    There is no softmax, so keys and values are summed once for all queries. The second scale has its own heads, of
    tokens that are mixed over 5 x 5 cells.
    """

    def __init__(self, width: int, *, head_width: int) -> None:
        super().__init__()
        if width % head_width:
            raise ValueError(f"The width must be a multiple of the heads' width; got {width} and {head_width}.")
        self.heads = width // head_width
        self.head_width = head_width
        self.qkv = ConvLayer(width, 3 * width, 1, norm=False, activation=False)
        self.aggreg = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(3 * width, 3 * width, 5, padding=2, groups=3 * width, bias=False),
                    nn.Conv2d(3 * width, 3 * width, 1, groups=3 * width // head_width, bias=False),
                )
            ]
        )
        self.proj = ConvLayer(2 * width, width, 1, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """Let all cells look at each other: (N, C, H, W) to the same shape."""
        qkv = self.qkv(x)
        both_scales = torch.cat([qkv, *(mix(qkv) for mix in self.aggreg)], dim=1)  # (N, 6C, H, W)
        count, _, height, width = both_scales.shape
        # Each head's queries, keys and values lie side by side in the published projection.
        heads = both_scales.reshape(count, 2 * self.heads, 3, self.head_width, height * width)
        # Sums over all cells overflow float16 and are coarse in bfloat16.
        heads = heads.to(torch.promote_types(x.dtype, torch.float32))
        queries, keys, values = F.relu(heads[:, :, 0]), F.relu(heads[:, :, 1]), heads[:, :, 2]
        summed = values @ keys.transpose(-1, -2)  # (N, heads, D, D)
        weight = keys.sum(-1, keepdim=True).transpose(-1, -2) @ queries  # (N, heads, 1, H * W)
        # Published as `weight + 1e-15`: the same but for rounding, and no exporter takes it for a sum with 0.
        attended = (summed @ queries) / weight.clamp(min=1e-15)
        merged = attended.reshape(count, 2 * self.heads * self.head_width, height, width)
        return torch.as_tensor(self.proj(merged.to(x.dtype)))
