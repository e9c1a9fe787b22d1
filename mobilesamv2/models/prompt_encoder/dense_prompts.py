"""What a decoder is told of prompts at every pixel, as mixtures: never written out where mixtures will do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class DensePrompts:
    """The dense prompts of N prompts, as mixtures of a few vectors that every prompt of a kind is mixed from.

    Args:
        constant: (width,), what is the same in every prompt and pixel.
        vectors: (D, width), what the rest is mixed from; D may be 0.
        shares: (N, D, h, w), of each vector in each pixel; None where D is 0.
    """

    constant: Tensor
    vectors: Tensor
    shares: Tensor | None

    def written_out(self, embedding_hw: tuple[int, int]) -> Tensor:
        """(N, width, h, w), or (1, width, h, w) where all prompts have the same."""
        constant = self.constant.reshape(1, -1, 1, 1)
        if self.shares is None:
            return constant.expand(1, -1, *embedding_hw)
        return torch.einsum("ndyx,dc->ncyx", self.shares, self.vectors) + constant


def on_patches(x: Tensor, layer: nn.Conv2d) -> Tensor:
    """A convolution whose stride is its size, as one product. For one channel libraries are many times slower."""
    if len(x) == 0:
        return torch.as_tensor(layer(x))  # whose libraries, unlike `pixel_unshuffle`, know nothing as a batch
    side = layer.kernel_size[0]
    patches = F.pixel_unshuffle(x, side)  # (N, in * side * side, h, w)
    assert layer.bias is not None
    weight = layer.weight.flatten(1).expand(len(x), -1, -1)
    product = torch.baddbmm(layer.bias[:, None], weight, patches.flatten(2))
    return product.view(len(x), len(layer.weight), *patches.shape[2:])
