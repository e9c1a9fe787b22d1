"""Prompts and an image embedding in, low-resolution mask logits and predicted IoUs out (arXiv 2304.02643)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import LayerNorm2d, Mlp
from .two_way_transformer import TwoWayTransformer


@dataclass(frozen=True)
class MaskDecoderConfig:
    """Sizes of a mask decoder. The defaults are SAM's.

    Args:
        width: channels of every token and of the image embedding; a multiple of 8.
        heads: attention heads.
        hidden_width: inside the transformer's feed-forward layers.
        depth: two-way blocks.
        mask_tokens: one for unambiguous prompts, and one for each of the masks of an ambiguous one.
        iou_hidden_width, iou_depth: of the head that predicts each mask's IoU.
        upscaling_activation: after each upscaling step. ReLU is several times cheaper than exact GELU on a CPU.
    """

    width: int = 256
    heads: int = 8
    hidden_width: int = 2048
    depth: int = 2
    mask_tokens: int = 4
    iou_hidden_width: int = 256
    iou_depth: int = 3
    upscaling_activation: Literal["gelu", "relu"] = "gelu"


class MaskDecoder(nn.Module):
    """Answer N prompts on one picture with one mask each, or three."""

    def __init__(self, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.transformer = TwoWayTransformer(
            width=width, heads=config.heads, hidden_width=config.hidden_width, depth=config.depth
        )
        self.iou_token = nn.Embedding(1, width)
        self.mask_tokens = nn.Embedding(config.mask_tokens, width)
        activation = {"gelu": nn.GELU, "relu": nn.ReLU}[config.upscaling_activation]
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            activation(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            activation(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Mlp(in_width=width, hidden_width=width, out_width=width // 8, depth=3)
            for _ in range(config.mask_tokens)
        )
        self.iou_prediction_head = Mlp(
            in_width=width,
            hidden_width=config.iou_hidden_width,
            out_width=config.mask_tokens,
            depth=config.iou_depth,
        )

    def forward(
        self, *, image: Tensor, image_code: Tensor, sparse: Tensor, dense: Tensor, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts.

        Args:
            image: (1 or N, width, h, w), the image embedding.
            image_code: (1, width, h, w), its position code.
            sparse: (N, T, width), prompt tokens.
            dense: (1 or N, width, h, w), dense prompts.
            multimask: return the masks for ambiguous prompts instead of the single one.

        Returns:
            Logits (N, M, 4h, 4w), a mask where above 0, and predicted IoUs (N, M), not clamped to [0, 1]; M is 1,
            or with `multimask` the number of mask tokens less one.
        """
        asked = slice(1, None) if multimask else slice(0, 1)
        return self.decode(image=image, image_code=image_code, sparse=sparse, dense=dense, asked=asked)

    def decode(
        self, *, image: Tensor, image_code: Tensor, sparse: Tensor, dense: Tensor, asked: slice
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, for the mask tokens that `asked` selects; training asks for all of them at once."""
        output_tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([output_tokens.expand(len(sparse), -1, -1), sparse], dim=1)
        height, width = image.shape[-2:]
        # (N or 1, h * w, width): shared by all prompts as long as both parts are
        image_tokens = (image + dense).flatten(2).transpose(1, 2).contiguous()
        tokens, image_tokens = self.transformer(
            image=image_tokens, image_code=image_code.flatten(2).transpose(1, 2).contiguous(), tokens=tokens
        )
        count = self.config.mask_tokens
        mask_tokens = tokens[:, 1 : 1 + count][:, asked]
        weights = torch.stack(
            [mlp(mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps[asked])], dim=1
        )  # (N, M, width / 8)
        logits = self._masks(image_tokens, weights, height, width)
        return logits, self.iou_prediction_head(tokens[:, 0])[:, asked]

    def _masks(self, image_tokens: Tensor, weights: Tensor, height: int, width: int) -> Tensor:
        """Upscale image tokens (N, h * w, C) four times and take their product with `weights` (N, M, C / 8).

        Channels stay last throughout: so the convolutions take the tokens as they are, without a copy.
        """
        first, second = (cast(nn.ConvTranspose2d, self.output_upscaling[i]) for i in (0, 3))
        norm = cast(LayerNorm2d, self.output_upscaling[1])
        # (N, C, h, w), channels last in memory
        x = image_tokens.transpose(1, 2).view(len(image_tokens), image_tokens.shape[2], height, width)
        x = norm.over_last_axis(first(x).permute(0, 2, 3, 1))
        x = second(self._activated(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (N, 4h, 4w, C / 8)
        product = weights @ self._activated(x).flatten(1, 2).transpose(1, 2)  # (N, M, 16 * h * w)
        return product.view(*product.shape[:2], 4 * height, 4 * width)

    def _activated(self, x: Tensor) -> Tensor:
        """The activation, in place where nothing will be differentiated: new memory costs more than the function."""
        gelu = self.config.upscaling_activation == "gelu"
        if torch.is_grad_enabled():
            return F.gelu(x) if gelu else F.relu(x)
        return torch.as_tensor(torch.ops.aten.gelu_(x) if gelu else F.relu_(x))
