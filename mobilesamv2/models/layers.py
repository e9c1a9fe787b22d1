"""Layers that the encoders and the decoder share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .kernels.linear import activated_linear
from .kernels.tensor_cache import DerivedTensors


class LayerNorm2d(nn.Module):
    """Normalise each pixel of (N, C, H, W) over its channels."""

    def __init__(self, channels: int, *, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        if x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
            return self.over_last_axis(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        dtype = x.dtype
        if dtype == torch.float16:
            x = x.float()  # the square of 256 is more than float16 holds
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).square().mean(1, keepdim=True)
        x = (x - mean) * torch.rsqrt(variance + self.eps)
        return (x * self.weight[:, None, None] + self.bias[:, None, None]).to(dtype)

    def over_last_axis(self, x: Tensor) -> Tensor:
        """The same normalisation for a tensor whose channels come last."""
        return F.layer_norm(x, (x.shape[-1],), self.weight, self.bias, self.eps)


def gelu_in_place(x: Tensor) -> Tensor:
    """Exact GELU of features that nobody needs any more; with gradients, which do need them, of a copy."""
    return F.gelu(x) if torch.is_grad_enabled() else torch.as_tensor(torch.ops.aten.gelu_.default(x))


def convolve_and_normalise(
    x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, *, cache: DerivedTensors | None = None
) -> Tensor:
    """What `norm(convolution(x))` is in evaluation mode, in one pass over the features and not two.

    With fixed statistics the norm scales and shifts the kernels. In training mode it is those two layers.

    Args:
        cache: where the scaled kernels are remembered; None: nowhere.
    """
    if norm.training:
        normalised: Tensor = norm(convolution(x))
        return normalised
    weight, bias = folded(convolution, norm, cache=cache)
    return convolve_with(x, weight, bias, like=convolution)


def convolve_with(x: Tensor, weight: Tensor, bias: Tensor | None, *, like: nn.Conv2d) -> Tensor:
    """What `like` would do with this weight and this bias."""
    if is_pointwise(like) and not x.is_contiguous():  # with its channels last: then it is a linear layer
        return activated_linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
    return F.conv2d(x, weight, bias, like.stride, like.padding, groups=like.groups)


def is_pointwise(convolution: nn.Conv2d) -> bool:
    """Whether it looks at one pixel at a time, as a linear layer does."""
    return (convolution.kernel_size, convolution.stride, convolution.groups) == ((1, 1), (1, 1), 1)


def folded(
    convolution: nn.Conv2d, norm: nn.BatchNorm2d, *, cache: DerivedTensors | None = None
) -> tuple[Tensor, Tensor]:
    """Weight and bias of the one convolution that a convolution and its batch norm are in evaluation mode.

    Their memory has the channels last, as oneDNN's and cuDNN's fast kernels want it.
    """
    mean, variance, batches = norm.running_mean, norm.running_var, norm.num_batches_tracked
    assert mean is not None
    assert variance is not None
    assert batches is not None

    def fold() -> tuple[Tensor, Tensor]:
        scale = norm.weight.float() * torch.rsqrt(variance.float() + norm.eps)
        weight = convolution.weight.float() * scale[:, None, None, None]
        shift = -mean.float() if convolution.bias is None else convolution.bias.float() - mean.float()
        bias = norm.bias.float() + shift * scale
        dtype = convolution.weight.dtype
        return weight.to(dtype).contiguous(memory_format=torch.channels_last), bias.to(dtype)

    if cache is None:
        return fold()
    # Training changes the running statistics without raising their counters, but counts its batches.
    sources = [convolution.weight, norm.weight, norm.bias, mean, variance, batches]
    if convolution.bias is not None:
        sources.append(convolution.bias)
    weight, bias = cache(fold, *sources)
    return weight, bias


def in_windows(x: Tensor, side: int, attend: Callable[[Tensor], Tensor]) -> Tensor:
    """Do what `attend` does to (M, side, side, C) with each window of (N, H, W, C), which keeps its shape.

    Zeros are put to the right and below where windows do not divide the grid, and nothing masks them.
    """
    batch, height, width, channels = x.shape
    padded = F.pad(x, (0, 0, 0, -width % side, 0, -height % side))
    rows, columns = padded.shape[1] // side, padded.shape[2] // side
    windows = padded.reshape(batch, rows, side, columns, side, channels).transpose(2, 3)
    attended = attend(windows.reshape(batch * rows * columns, side, side, channels))
    grid = attended.reshape(batch, rows, columns, side, side, channels).transpose(2, 3)
    return grid.reshape(padded.shape)[:, :height, :width]


class Mlp(nn.Module):
    """`depth` linear layers with ReLU between them."""

    def __init__(self, *, in_width: int, hidden_width: int, out_width: int, depth: int) -> None:
        super().__init__()
        widths = [in_width, *[hidden_width] * (depth - 1), out_width]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return torch.as_tensor(self.layers[-1](x))
