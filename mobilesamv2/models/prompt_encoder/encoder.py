"""SAM's prompt encoder: points, boxes and masks become tokens and a dense map (arXiv 2304.02643, appendix A)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from ..layers import LayerNorm2d
from .position_encoding import PositionEncoding


@dataclass(frozen=True)
class PromptEncoderConfig:
    """Sizes of a prompt encoder. The defaults are SAM's.

    Args:
        width: channels of every token and of the image embedding.
        input_side: side of the model's square input in pixels.
        stride: input pixels per embedding pixel.
        mask_channels: channels inside the mask prompt's convolutions.
    """

    width: int = 256
    input_side: int = 1024
    stride: int = 16
    mask_channels: int = 16

    @property
    def embedding_side(self) -> int:
        """Side of the square image embedding."""
        return self.input_side // self.stride


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

    def no_mask(self, embedding_hw: tuple[int, int]) -> Tensor:
        """The dense map (1, width, h, w) of prompts without a mask: the same vector in every pixel."""
        return self.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(-1, -1, *embedding_hw)

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
        weight = self.no_mask_embed.weight
        # Coordinates may come in float64 and stay so until they are divided, as in SAM's mask generator.
        input_size = torch.tensor(
            [embedding_hw[1] * self.config.stride, embedding_hw[0] * self.config.stride], device=weight.device
        )
        tokens = []
        if points is not None and labels is not None:
            if boxes_xyxy is None:  # a point that is none, so that points have as many tokens as with a box
                points = torch.cat([points, points.new_zeros(len(points), 1, 2)], dim=1)
                labels = torch.cat([labels, -labels.new_ones(len(labels), 1)], dim=1)
            tokens.append(self.embed_points((points + 0.5) / input_size, labels))
        if boxes_xyxy is not None:
            corners = self.pe_layer((boxes_xyxy.reshape(-1, 2, 2) + 0.5) / input_size)
            tokens.append(corners + torch.stack([self._point_weight(2)[0], self._point_weight(3)[0]]))
        count = 1 if masks is None else len(masks)
        sparse = torch.cat(tokens, dim=1) if tokens else weight.new_zeros(count, 0, self.config.width)
        if masks is None:
            return sparse, self.no_mask(embedding_hw)
        return sparse, self.mask_downscaling(masks.to(weight.dtype))

    def _point_weight(self, index: int) -> Tensor:
        return cast(nn.Embedding, self.point_embeddings[index]).weight  # (1, width)

    def embed_points(self, xy: Tensor, labels: Tensor) -> Tensor:
        """Tokens (N, P, width) of points.

        Args:
            xy: (N, P, 2), shares of the input's sides.
            labels: (N, P), 1 foreground, 0 background, 2 and 3 a box's top left and bottom right corner, -1 padding.
        """
        code = self.pe_layer(xy)
        kind = labels[..., None]
        code = torch.where(kind == -1, self.not_a_point_embed.weight, code)
        for index in range(4):
            code = torch.where(kind == index, code + self._point_weight(index), code)
        return code
