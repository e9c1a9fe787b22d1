"""Where something is in a picture, as channels."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PositionEncoding(nn.Module):
    """Random Fourier features of positions in the unit square (arXiv 2006.10739)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, width // 2))

    def forward(self, xy: Tensor) -> Tensor:
        """Encode (..., 2) coordinates in [0, 1], x before y, as (..., width)."""
        matrix = self.positional_encoding_gaussian_matrix
        angles = 2 * math.pi * ((2 * xy - 1).to(matrix.dtype) @ matrix)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def grid(self, height: int, width: int) -> Tensor:
        """Encode the centres of a `height` x `width` grid as (1, channels, height, width)."""
        device = self.positional_encoding_gaussian_matrix.device
        y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
        x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) / width
        xy = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        return torch.as_tensor(self(xy)).permute(2, 0, 1)[None]
