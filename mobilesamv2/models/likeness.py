"""A first guess at each prompt's mask: which pixels are like those inside it, and unlike those around it.

A decoder that is told where a box is learns to answer with the box long before it has learnt to look at the picture.
The guess makes it look: it is the encoder's own features compared with their mean inside and outside the prompt, as
prototype networks compare them (arXiv 1703.05175), and is given to the decoder as part of the dense prompt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ROUNDS = 2
"""Means are taken over the whole prompt first, then again over what looked alike."""


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
            image: (1 or N, width, h, w), the image embedding.
            inside: (N, h, w), how much each pixel counts as the prompt's inside; not negative.
            outside: (N, h, w), the same for what it is to be told from.

        Returns:
            Logits (N, h, w).
        """
        features = F.normalize(self.project(image).float(), dim=1).flatten(2)  # (1 or N, C, h * w)
        shape = inside.shape
        inside, outside = inside.flatten(1), outside.flatten(1)
        weight_in, weight_out = inside, outside
        logits = inside
        for _ in range(_ROUNDS):
            difference = _mean(features, weight_in) - _mean(features, weight_out)  # (N, C)
            logits = self.sharpness * torch.einsum(
                "nc,nck->nk", difference, features.expand(len(inside), -1, -1)
            )
            alike = logits.sigmoid()
            weight_in, weight_out = inside * alike, outside + inside * (1 - alike)
        return logits.view(shape)

    def dense(self, logits: Tensor) -> Tensor:
        """The guess as a part of the dense prompt: (N, h, w) to (N, width, h, w)."""
        return logits.tanh()[:, None] * self.embed.weight[0][:, None, None]


def _mean(features: Tensor, weight: Tensor) -> Tensor:
    """Mean of features (1 or N, C, K) under N weights (N, K): (N, C)."""
    total = weight.sum(1, keepdim=True) + 1e-4
    return torch.einsum("nck,nk->nc", features.expand(len(weight), -1, -1), weight) / total
