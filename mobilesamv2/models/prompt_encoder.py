"""Turns points, boxes and masks into tokens, as SAM's prompt encoder does (arXiv 2304.02643, appendix A)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .layers import LayerNorm2d


@dataclass(frozen=True)
class PromptEncoderConfig:
    """Sizes of a prompt encoder. The defaults are SAM's.

    Args:
        width: channels of every token and of the image embedding.
        input_side: side of the model's square input in pixels.
        stride: input pixels per embedding pixel.
        mask_channels: channels inside the mask prompt's convolutions.
        dense_prompts: also draw every box and point into the mask prompt. Published checkpoints were trained without.
            A Fourier code tells an image position where a corner is only within about 8 % of the picture, so a
            network learns "inside the box" many times faster when it is told.
    """

    width: int = 256
    input_side: int = 1024
    stride: int = 16
    mask_channels: int = 16
    dense_prompts: bool = False

    @property
    def embedding_side(self) -> int:
        """Side of the square image embedding."""
        return self.input_side // self.stride


_HALF_WAY = 8.0
"""Mask pixels from a point at which its bump has half its height. The slopes are long, so that every pixel learns
how far from the point it is; with a narrow Gaussian a network learns next to nothing from points at first."""


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


class PromptEncoder(nn.Module):
    """Encode N prompts as sparse tokens and a dense map.

    Knows nothing of the original picture: coordinates are pixels of the model's square input.
    """

    def __init__(self, config: PromptEncoderConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.mask_channels
        self.pe_layer = PositionEncoding(width)
        # background point, foreground point, top left corner, bottom right corner
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, width) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, width)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, inner // 4, kernel_size=2, stride=2),
            LayerNorm2d(inner // 4),
            nn.GELU(),
            nn.Conv2d(inner // 4, inner, kernel_size=2, stride=2),
            LayerNorm2d(inner),
            nn.GELU(),
            nn.Conv2d(inner, width, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, width)

    def position_grid(self, height: int, width: int) -> Tensor:
        """Position code of an embedding of that size, (1, channels, height, width)."""
        return self.pe_layer.grid(height, width)

    def forward(
        self,
        *,
        embedding_hw: tuple[int, int],
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Encode N prompts of one kind.

        Args:
            embedding_hw: height and width of the image embedding.
            points: (N, P, 2) in input pixels, or None.
            labels: (N, P), 1 foreground, 0 background, -1 padding; comes with `points`.
            boxes_xyxy: (N, 4) in input pixels, or None.
            masks: (N, 1, 4h, 4w) low-resolution logits, or None.

        Returns:
            Sparse tokens (N, T, width), points before corners, and a dense map (N or 1, width, h, w): one map
            for all prompts where none of them has a mask.
        """
        # Coordinates may come in float64 and stay so until they are divided, as in SAM's mask generator.
        input_size = torch.tensor(
            [embedding_hw[1] * self.config.stride, embedding_hw[0] * self.config.stride],
            device=self.no_mask_embed.weight.device,
        )
        tokens = []
        if points is not None and labels is not None:
            padded, padded_labels = points, labels
            if (
                boxes_xyxy is None
            ):  # a point that is none, so that points alone have as many tokens as with a box
                padded = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                padded_labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
            tokens.append(self._embed_points((padded + 0.5) / input_size, padded_labels))
        if boxes_xyxy is not None:
            corners = self.pe_layer((boxes_xyxy.reshape(-1, 2, 2) + 0.5) / input_size)
            tokens.append(corners + torch.stack([self._point_weight(2)[0], self._point_weight(3)[0]]))
        count = len(tokens[0]) if tokens else (1 if masks is None else len(masks))
        weight = self.no_mask_embed.weight
        sparse = torch.cat(tokens, dim=1) if tokens else weight.new_zeros(count, 0, self.config.width)

        if masks is None and self.config.dense_prompts and tokens:
            masks = self._draw(embedding_hw, points=points, labels=labels, boxes_xyxy=boxes_xyxy)
        if masks is None:
            dense = weight.reshape(1, -1, 1, 1).expand(1, -1, *embedding_hw)
        else:
            dense = self.mask_downscaling(masks.to(weight.dtype))
        return sparse, dense

    def _point_weight(self, index: int) -> Tensor:
        return cast(nn.Embedding, self.point_embeddings[index]).weight  # (1, width)

    def _embed_points(self, xy: Tensor, labels: Tensor) -> Tensor:
        code = self.pe_layer(xy)
        background, foreground = self._point_weight(0), self._point_weight(1)
        kind = labels[..., None]
        code = torch.where(kind == -1, self.not_a_point_embed.weight, code)
        code = torch.where(kind == 0, code + background, code)
        return torch.where(kind == 1, code + foreground, code)

    def _draw(
        self,
        embedding_hw: tuple[int, int],
        *,
        points: Tensor | None,
        labels: Tensor | None,
        boxes_xyxy: Tensor | None,
    ) -> Tensor:
        """Draw prompts at mask resolution: -1 outside a box, a dome from 0 to 1 inside; a point is a bump.

        The dome tells each pixel where in the box it is: objects fill the middle of their box, seldom its corners.
        """
        dtype, device = torch.float32, self.no_mask_embed.weight.device
        scale = 4 / self.config.stride  # mask pixels per input pixel
        rows = torch.arange(4 * embedding_hw[0], device=device, dtype=dtype)
        columns = torch.arange(4 * embedding_hw[1], device=device, dtype=dtype)
        drawn: Tensor | None = None
        if boxes_xyxy is not None:
            x0, y0, x1, y1 = (boxes_xyxy.to(dtype) * scale).unbind(-1)
            # How much of each mask pixel lies between the edges, per axis; the product is the box's coverage.
            along_x = (torch.minimum(x1[:, None], columns + 1) - torch.maximum(x0[:, None], columns)).clamp(
                0, 1
            )
            along_y = (torch.minimum(y1[:, None], rows + 1) - torch.maximum(y0[:, None], rows)).clamp(0, 1)
            # 1 in the box's centre, 0.5 in the middle of an edge, 0 in its corners
            across = ((columns + 0.5 - (x0 + x1)[:, None] / 2) / (x1 - x0).clamp(min=1)[:, None]) ** 2
            down = ((rows + 0.5 - (y0 + y1)[:, None] / 2) / (y1 - y0).clamp(min=1)[:, None]) ** 2
            profile = (1 - 2 * (across[:, None, :] + down[:, :, None])).clamp(0, 1)
            drawn = along_y[:, :, None] * along_x[:, None, :] * (profile + 1) - 1
        if points is not None and labels is not None:
            x, y = ((points.to(dtype) + 0.5) * scale).unbind(-1)  # (N, P) each
            along_x = (columns + 0.5 - x[..., None])[:, :, None, :]
            along_y = (rows + 0.5 - y[..., None])[:, :, :, None]
            distance = (along_x**2 + along_y**2).sqrt()  # (N, P, H, W)
            sign = (labels == 1).to(dtype) - (labels == 0).to(dtype)
            bumps = (sign[:, :, None, None] / (1 + distance / _HALF_WAY)).sum(1)
            drawn = bumps if drawn is None else drawn + bumps
        assert drawn is not None  # only called where there is a prompt to draw
        return drawn[:, None]
