"""TinyViT as an image encoder: MobileSAM's. It knows nothing of pictures, prompts or checkpoint files.

Written from the description in "TinyViT: Fast Pretraining Distillation for Small Vision Transformers"
(Wu et al. 2022) and from the shapes of the published state dict, whose keys it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..kernels.linear import activated_linear, linear_plus
from ..kernels.tensor_cache import DerivedTensors
from ..kernels.tiling import in_row_bands, rows_that_fit
from ..layers import LayerNorm2d, convolve_and_normalise, folded, gelu_in_place, in_windows


@dataclass(frozen=True)
class TinyVitConfig:
    """Sizes of a TinyViT. The defaults are MobileSAM's, of 5 million parameters.

    Args:
        widths: channels of the four stages; the first is convolutional, the others attend inside windows.
        depths: blocks of each stage.
        heads: attention heads of the last three stages.
        windows: side of the attention windows of the last three stages, in cells of the stage's grid.
        merge_strides: stride of the merge after each of the first three stages. The last is 1 where the
            classifier had 2: SAM wants an embedding of stride 16.
        expand_ratio: how much wider a convolutional block is inside than at its ends.
        mlp_ratio: how much wider the hidden layer of a block's MLP is than its ends.
        local_conv_side: side of the depthwise convolution between attention and MLP; odd.
        out_width: channels of the embedding.
        classes: outputs of the classifier of the pretraining. Unused, but published files hold its weights.
    """

    widths: tuple[int, int, int, int] = (64, 128, 160, 320)
    depths: tuple[int, int, int, int] = (2, 2, 6, 2)
    heads: tuple[int, int, int] = (4, 5, 10)
    windows: tuple[int, int, int] = (7, 14, 7)
    merge_strides: tuple[int, int, int] = (2, 2, 1)
    expand_ratio: float = 4.0
    mlp_ratio: float = 4.0
    local_conv_side: int = 3
    out_width: int = 256
    classes: int = 1000

    @property
    def stride(self) -> int:
        """Input pixels per cell of the embedding, along each side."""
        stride = 4  # of the patch embedding
        for merge_stride in self.merge_strides:
            stride *= merge_stride
        return stride


class TinyVit(nn.Module):
    """Four stages that shrink the picture, then a neck to the width of SAM's embedding.

    Args:
        config: the sizes.
    """

    def __init__(self, config: TinyVitConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config.widths[0])
        stages: list[nn.Module] = []
        for index, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            blocks: list[nn.Module]
            if index == 0:
                blocks = [ConvBlock(width, expand_ratio=config.expand_ratio) for _ in range(depth)]
            else:
                blocks = [
                    AttentionBlock(
                        width,
                        heads=config.heads[index - 1],
                        window=config.windows[index - 1],
                        mlp_ratio=config.mlp_ratio,
                        local_conv_side=config.local_conv_side,
                    )
                    for _ in range(depth)
                ]
            merge = None
            if index < len(config.merge_strides):
                merge = PatchMerge(width, config.widths[index + 1], stride=config.merge_strides[index])
            stages.append(Stage(blocks, merge))
        self.layers = nn.Sequential(*stages)
        self.norm_head = nn.LayerNorm(config.widths[-1])  # of the unused classifier, as is `head`
        self.head = nn.Linear(config.widths[-1], config.classes)
        self.neck = nn.Sequential(
            nn.Conv2d(config.widths[-1], config.out_width, 1, bias=False),
            LayerNorm2d(config.out_width),
            nn.Conv2d(config.out_width, config.out_width, 3, padding=1, bias=False),
            LayerNorm2d(config.out_width),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode normalised pictures.

        Args:
            pixels: (N, 3, H, W); H and W are multiples of `config.stride`.

        Returns:
            The embedding (N, out_width, H / stride, W / stride).

        Raises:
            ValueError: if a side is no multiple of the stride.
        """
        stride = self.config.stride
        if pixels.shape[-2] % stride or pixels.shape[-1] % stride:
            raise ValueError(f"TinyViT takes sides that are multiples of {stride}; got {tuple(pixels.shape[-2:])}.")
        features: Tensor = self.neck(self.layers(self.patch_embed(pixels)))
        return features


class ConvNorm(nn.Module):
    """A convolution without bias that keeps the size at stride 1, and its batch norm."""

    def __init__(self, in_channels: int, out_channels: int, side: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(in_channels, out_channels, side, stride=stride, padding=side // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

        self.derived = DerivedTensors()

    def forward(self, x: Tensor) -> Tensor:
        return convolve_and_normalise(x, self.c, self.bn, cache=self.derived)

    def on_each_pixel(
        self, x: Tensor, *, activation: Literal["none", "gelu"] = "none", plus: Tensor | None = None
    ) -> Tensor:
        """What a pointwise one does in evaluation mode, with what follows it: an activation or a sum."""
        weight, bias = folded(self.c, self.bn, cache=self.derived)
        weight, x = weight.flatten(1), x.permute(0, 2, 3, 1)
        if plus is not None:
            return linear_plus(x, weight, bias, plus.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return activated_linear(x, weight, bias, activation).permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    """From pixels to features at a quarter of the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            ConvNorm(3, width // 2, 3, stride=2), nn.GELU(), ConvNorm(width // 2, width, 3, stride=2)
        )
        self.width = width

    def forward(self, pixels: Tensor) -> Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        rows = rows_that_fit(pixels, columns=pixels.shape[3], channels=self.width)
        if self.training:
            return torch.as_tensor(self.seq(pixels))
        return in_row_bands(pixels, self._evaluate, rows=rows, stride=4, margin=1)

    def _evaluate(self, pixels: Tensor) -> Tensor:
        first, _, second = self.seq
        return torch.as_tensor(second(gelu_in_place(first(pixels))))


class Stage(nn.Module):
    """Blocks at one resolution, then the step to the next one, if there is one."""

    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return x if self.downsample is None else self.downsample(x)


class ConvBlock(nn.Module):
    """An inverted bottleneck: widen, mix each channel over its neighbours, narrow, add."""

    def __init__(self, width: int, *, expand_ratio: float) -> None:
        super().__init__()
        hidden = int(width * expand_ratio)
        self.conv1 = ConvNorm(width, hidden, 1)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return F.gelu(x + self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))
        rows = rows_that_fit(x, columns=x.shape[3], channels=self.conv1.c.out_channels)
        return in_row_bands(x, self._evaluate, rows=rows, margin=1)

    def _evaluate(self, x: Tensor) -> Tensor:
        hidden = gelu_in_place(self.conv2(self.conv1.on_each_pixel(x, activation="gelu")))
        return gelu_in_place(self.conv3.on_each_pixel(hidden, plus=x))


class PatchMerge(nn.Module):
    """From one stage to the next: other width, and half the resolution where the stride is 2."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, out_channels, 1)
        self.conv2 = ConvNorm(out_channels, out_channels, 3, stride=stride, groups=out_channels)
        self.conv3 = ConvNorm(out_channels, out_channels, 1)

        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return torch.as_tensor(self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))
        rows = rows_that_fit(x, columns=x.shape[3] * self.stride, channels=self.conv1.c.out_channels)
        return in_row_bands(x, self._evaluate, rows=rows, stride=self.stride, margin=1)

    def _evaluate(self, x: Tensor) -> Tensor:
        hidden = gelu_in_place(self.conv2(self.conv1.on_each_pixel(x, activation="gelu")))
        return self.conv3.on_each_pixel(hidden)


class AttentionBlock(nn.Module):
    """Attention inside windows, a depthwise convolution across their borders, an MLP."""

    def __init__(self, width: int, *, heads: int, window: int, mlp_ratio: float, local_conv_side: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads=heads, window=window)
        self.mlp = Mlp(width, hidden=int(width * mlp_ratio))
        self.local_conv = ConvNorm(width, width, local_conv_side, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        columns, width = x.shape[3], x.shape[1]
        rows = rows_that_fit(x, columns=columns, channels=3 * width, multiple_of=self.window)
        x = in_row_bands(x, self._attend, rows=rows)
        x = self.local_conv(x)
        rows = rows_that_fit(x, columns=columns, channels=self.mlp.fc1.out_features)
        return in_row_bands(x, self._transform, rows=rows)

    def _attend(self, x: Tensor) -> Tensor:
        """Some rows of windows, and the shortcut beside them."""
        x = x.permute(0, 2, 3, 1)  # (N, H, W, C)
        # Padded *before* the attention normalises: as trained, cells outside the picture are keys that are made of
        # the norm's bias.
        attended = in_windows(x, self.window, self.attn)
        proj = self.attn.proj
        return linear_plus(attended, proj.weight, proj.bias, x).permute(0, 3, 1, 2)

    def _transform(self, x: Tensor) -> Tensor:
        transformed: Tensor = self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return transformed


class WindowAttention(nn.Module):
    """Multi-head self-attention with a learned bias for each distance between two cells of a window."""

    bias_index: Tensor

    def __init__(self, width: int, *, heads: int, window: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"The width of a stage must be a multiple of its heads; got {width} and {heads}.")
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("bias_index", _bias_index(window), persistent=False)
        self.derived = DerivedTensors()

    def forward(self, x: Tensor) -> Tensor:
        """Let the cells of each window look at each other: (N, window, window, C) to the same shape.

        What the heads found is not yet projected: padding need not be.
        """
        shape, x = x.shape, x.flatten(1, 2)
        count, cells, width = x.shape
        # Each head's queries, keys and values lie side by side in the published projection.
        qkv = activated_linear(self.norm(x), self.qkv.weight, self.qkv.bias)
        qkv = qkv.view(count, cells, self.heads, 3, width // self.heads)
        queries, keys, values = qkv.permute(3, 0, 2, 1, 4)  # each (N, heads, cells, C / heads)
        (biases,) = self.derived(self._biases, self.attention_biases)
        attended = F.scaled_dot_product_attention(queries, keys, values, attn_mask=biases)
        return attended.transpose(1, 2).reshape(shape)

    def _biases(self) -> tuple[Tensor]:
        """(1, heads, cells, cells), shared by all windows."""
        return (self.attention_biases[:, self.bias_index].unsqueeze(0),)


def _bias_index(window: int) -> Tensor:
    """Which bias two cells share, int64 (window², window²): |dy| * window + |dx|."""
    rows, columns = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    return (rows[:, None] - rows).abs() * window + (columns[:, None] - columns).abs()


class Mlp(nn.Module):
    """Two layers on each cell, with the norm inside."""

    def __init__(self, width: int, *, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each vector (..., C) and add what it was."""
        hidden = activated_linear(self.norm(x), self.fc1.weight, self.fc1.bias, "gelu")
        return linear_plus(hidden, self.fc2.weight, self.fc2.bias, x)
