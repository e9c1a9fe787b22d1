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

from ..kernels.linear import activated_linear

_ROUNDS = 2
"""Pixels are compared with the whole prompt first, then again with what of it looked alike."""
_SMALLEST = 1e-6


class Similarity(nn.Module):
    """Compare every pixel of an embedding with the inside and the outside of N prompts."""

    def __init__(self, *, width: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(width, channels, kernel_size=1)
        self.sharpness = nn.Parameter(torch.tensor(8.0))
        self.embed = nn.Embedding(1, width)

    def kernel(self, image: Tensor) -> Tensor:
        """How alike the pixels of embeddings are, once per picture for any number of prompts.

        Args:
            image: (B, width, h, w), embeddings of B pictures; h and w are even.

        Returns:
            (B, h * w, h * w / 4), from 0 to 1: each pixel against the means of 2 x 2 pixels, which is as good as
            against all of them and a quarter of the work.
        """
        features = F.normalize(self.project(image.to(self.project.weight.dtype)), dim=1)
        others = F.avg_pool2d(features, 2).flatten(2)  # (B, C, L)
        alike = (self.sharpness * features).flatten(2).transpose(1, 2) @ others
        return alike.sub_(self.sharpness).exp_()  # in place: it is the largest thing there is

    def forward(self, kernel: Tensor, *, inside: Tensor, outside: Tensor) -> Tensor:
        """Guess N masks.

        Args:
            kernel: (B, h * w, h * w / 4), of `kernel`.
            inside: (N, h, w), N / B prompts on each picture in turn: how much each pixel counts as the prompt's
                inside; not negative.
            outside: (N, h, w), the same for what it is to be told from.

        Returns:
            Logits (N, h, w).
        """
        weights = torch.stack([inside, outside])  # (2, N, h, w)
        logits = inside
        for _ in range(_ROUNDS):
            inner, outer = _densities(kernel, weights)
            logits = (inner / outer).log().view(inside.shape)
            alike = logits.sigmoid()
            weights = torch.stack([inside * alike, outside + inside * (1 - alike)])
        return logits


def _densities(kernel: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Means of B kernels (B, K, L) under two sets of N weights (2, N, h, w): twice (N, K), above 0."""
    pictures, count, cells = len(kernel), weights.shape[1], kernel.shape[1]
    each = count // pictures
    pooled = F.avg_pool2d(weights.flatten(0, 1)[:, None], 2).flatten(1)  # (2 * N, L)
    share = pooled / (pooled.sum(1, keepdim=True) + _SMALLEST)
    # One product for both sets: reading the kernel is what takes time.
    grouped = share.view(2, pictures, each, share.shape[1]).transpose(0, 1).flatten(1, 2)  # (B, 2 * N / B, L)
    means = torch.stack([activated_linear(*one, None) for one in zip(grouped, kernel, strict=True)])
    means = means.view(pictures, 2, each, cells)
    inner, outer = means.transpose(0, 1).reshape(2, count, cells) + _SMALLEST
    return inner, outer
