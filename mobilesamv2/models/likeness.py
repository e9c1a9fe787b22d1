"""A first guess at each prompt's mask: which pixels are more like those inside it than like those around it.

A decoder that is told where a box is learns to answer with the box long before it has learnt to look at the picture.
The guess makes it look. It compares every pixel with all those inside and all those outside a prompt, by a kernel
density in features that the encoder learns for it (the Parzen window classifier, with the feature space learnt as in
matching networks, arXiv 1606.04080), and is given to the decoder as a part of the dense prompt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ROUNDS = 2
"""Pixels are compared with the whole prompt first, then again with what of it looked alike."""
_SMALLEST = 1e-6


class Likeness(nn.Module):
    """Compare every pixel of an embedding with the inside and the outside of N prompts."""

    def __init__(self, *, width: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, channels, kernel_size=1)
        self.sharpness = nn.Parameter(torch.tensor(8.0))
        self.embed = nn.Embedding(1, width)

    def forward(self, image: Tensor, *, inside: Tensor, outside: Tensor) -> Tensor:
        """Guess N masks.

        Args:
            image: (B, width, h, w), embeddings of B pictures; h and w are even.
            inside: (N, h, w), N / B prompts on each picture in turn: how much each pixel counts as the prompt's
                inside; not negative.
            outside: (N, h, w), the same for what it is to be told from.

        Returns:
            Logits (N, h, w).
        """
        features = F.normalize(self.project(image.to(self.project.weight.dtype)), dim=1)
        # Compared with a quarter as many pixels, each the mean of four: as good, and a quarter of the work.
        others = F.avg_pool2d(features, 2).flatten(2)  # (B, C, L)
        kernel = (self.sharpness * (features.flatten(2).transpose(1, 2) @ others - 1)).exp()  # (B, K, L)
        weight_in, weight_out = _pooled(inside), _pooled(outside)  # (N, L)
        logits = inside
        for _ in range(_ROUNDS):
            logits = (_density(kernel, weight_in) / _density(kernel, weight_out)).log().view(inside.shape)
            alike = logits.sigmoid()
            weight_in, weight_out = _pooled(inside * alike), _pooled(outside + inside * (1 - alike))
        return logits

    def dense(self, logits: Tensor) -> Tensor:
        """The guess as a part of the dense prompt: (N, h, w) to (N, width, h, w)."""
        return logits.tanh()[:, None] * self.embed.weight[0][:, None, None]


def _pooled(weight: Tensor) -> Tensor:
    return F.avg_pool2d(weight[:, None], 2).flatten(1)


def _density(kernel: Tensor, weight: Tensor) -> Tensor:
    """Mean of B kernels (B, K, L) under N / B weights (N, L) each: (N, K), above 0."""
    share = weight / (weight.sum(1, keepdim=True) + _SMALLEST)
    grouped = share.view(len(kernel), -1, share.shape[1])
    return (grouped @ kernel.transpose(1, 2)).flatten(0, 1) + _SMALLEST
