"""Prompts and an image embedding in, low-resolution mask logits and predicted IoUs out (arXiv 2304.02643)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from ..kernels.linear import activated_linear
from ..kernels.parallel import in_parallel
from ..layers import LayerNorm2d, Mlp, gelu_in_place
from .shared_decoding import SharedDecoding
from .shared_image import SharedImage, share_image, upscaling_matrix
from .two_way_transformer import TwoWayTransformer

PROMPTS_AT_ONCE = 8
"""Prompts that share their image whose tokens go through the small layers together, on one core."""
PIXELS_AT_ONCE = 2048
"""Pixels of the first upscaling that go through the second one together: to 1 MB in SAM, what a core's cache holds."""


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
    """

    width: int = 256
    heads: int = 8
    hidden_width: int = 2048
    depth: int = 2
    mask_tokens: int = 4
    iou_hidden_width: int = 256
    iou_depth: int = 3


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
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(width, width // 4, kernel_size=2, stride=2),
            LayerNorm2d(width // 4),
            nn.GELU(),
            nn.ConvTranspose2d(width // 4, width // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Mlp(in_width=width, hidden_width=width, out_width=width // 8, depth=3) for _ in range(config.mask_tokens)
        )
        self.iou_prediction_head = Mlp(
            in_width=width,
            hidden_width=config.iou_hidden_width,
            out_width=config.mask_tokens,
            depth=config.iou_depth,
        )

    def forward(
        self,
        *,
        image: Tensor,
        image_code: Tensor,
        sparse: Tensor,
        dense: Tensor,
        multimask: bool,
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
        if len(image) == len(dense) == 1 and self.can_share(image):
            shared = self.share(image=image + dense, image_code=image_code)
            return self.decode_shared(shared, sparse=sparse, multimask=multimask)
        return self.decode(image=image, image_code=image_code, sparse=sparse, dense=dense, asked=_asked(multimask))

    @staticmethod
    def can_share(image: Tensor) -> bool:
        """Whether sharing an image pays: in float32 on a CPU (see `shared_decoding`), and without gradients."""
        return image.device.type == "cpu" and image.dtype == torch.float32 and not torch.is_grad_enabled()

    def share(self, *, image: Tensor, image_code: Tensor) -> SharedImage:
        """What any number of prompts on one image share, once per picture.

        Args:
            image: (1, width, h, w), the image embedding with the dense prompt that all prompts have.
            image_code: (1, width, h, w), its position code.
        """
        return share_image(
            transformer=self.transformer,
            upscaling=cast(nn.ConvTranspose2d, self.output_upscaling[0]),
            image=image[0],
            image_code=image_code[0],
        )

    def decode(
        self, *, image: Tensor, image_code: Tensor, sparse: Tensor, dense: Tensor, asked: slice
    ) -> tuple[Tensor, Tensor]:
        """As `forward`, for the mask tokens that `asked` selects; training asks for all of them at once."""
        tokens = self._with_output_tokens(sparse)
        height, width = image.shape[-2:]
        # (N or 1, h * w, width): shared by all prompts as long as both parts are
        image_tokens = (image + dense).flatten(2).transpose(1, 2).contiguous()
        tokens, image_tokens = self.transformer(
            image=image_tokens, image_code=image_code.flatten(2).transpose(1, 2).contiguous(), tokens=tokens
        )
        logits = self._masks(image_tokens, self._pixel_weights(tokens, asked), height, width)
        return logits, self.iou_prediction_head(tokens[:, 0])[:, asked]

    def _with_output_tokens(self, sparse: Tensor) -> Tensor:
        """The tokens that become answers, then those of prompts (N, T, width)."""
        output_tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        return torch.cat([output_tokens.expand(sparse.shape[0], -1, -1), sparse], dim=1)

    def _pixel_weights(self, tokens: Tensor, asked: slice) -> Tensor:
        """Weights (N, M, width / 8) whose product with an upscaled pixel is a mask's logit there."""
        mask_tokens = tokens[:, 1 : 1 + self.config.mask_tokens][:, asked]
        return torch.stack(
            [mlp(mask_tokens[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps[asked])], dim=1
        )

    @torch.no_grad()
    def decode_shared(self, shared: SharedImage, *, sparse: Tensor, multimask: bool) -> tuple[Tensor, Tensor]:
        """As `forward`, for prompts on an image that `share` projected.

        Args:
            shared: of the image.
            sparse: (N, T, width), prompt tokens.
            multimask: as for `forward`.
        """
        height, width = shared.size_hw
        asked = _asked(multimask)
        tokens = self._with_output_tokens(sparse)
        count = len(range(self.config.mask_tokens)[asked])
        logits = sparse.new_empty(len(sparse), count, 4 * height, 4 * width)
        together = max(1, min(PROMPTS_AT_ONCE, -(-len(sparse) // torch.get_num_threads())))
        parts = [slice(start, start + together) for start in range(0, len(sparse), together)]
        decoded = in_parallel(
            [partial(self._decode_some, shared, tokens[part], asked, into=logits[part]) for part in parts]
        )
        return logits, self.iou_prediction_head(torch.cat([tokens[:0], *decoded])[:, 0])[:, asked]

    def _decode_some(self, shared: SharedImage, tokens: Tensor, asked: slice, *, into: Tensor) -> Tensor:
        """Decode a few prompts: their logits `into` (n, M, 4h, 4w), their tokens (n, T, width) returned."""
        first, second = (cast(nn.ConvTranspose2d, self.output_upscaling[i]) for i in (0, 3))
        norm = cast(LayerNorm2d, self.output_upscaling[1])
        decoding = SharedDecoding(self.transformer, first, norm, shared, tokens=tokens.shape[1])
        tokens, image = decoding.run(tokens)
        matrix = upscaling_matrix(second).T.contiguous()  # (4 * C / 8, C / 4)
        assert second.bias is not None
        bias = second.bias.repeat(4)
        (height, width), count = shared.size_hw, into.shape[1]
        for index, weights in enumerate(self._pixel_weights(tokens, asked)):
            pixels = gelu_in_place(decoding.upscale(image, index))
            product = self._upscaled_product(pixels, matrix, bias, weights)
            # A token became 2 x 2 pixels, and each of them again. Pairs in a row stay together: they move as one.
            into[index].view(torch.float64).view(count, height, 2, 2, width, 2).copy_(
                product.view(torch.float64).view(count, height, width, 2, 2, 2).permute(0, 1, 3, 5, 2, 4)
            )
        return tokens

    def _upscaled_product(self, pixels: Tensor, matrix: Tensor, bias: Tensor, weights: Tensor) -> Tensor:
        """Upscale pixels (P, C / 4) by a product with `matrix`, then multiply with `weights` (M, C / 8): (M, 4 * P).

        In pieces, so that what is upscaled, many times the result, stays in the cache.
        """
        result = pixels.new_empty(len(weights), 4 * len(pixels))
        for start in range(0, len(pixels), PIXELS_AT_ONCE):
            some = pixels[start : start + PIXELS_AT_ONCE]
            upscaled = activated_linear(some, matrix, bias, "gelu")
            torch.mm(
                weights,
                upscaled.view(-1, weights.shape[1]).T,
                out=result[:, 4 * start : 4 * (start + len(some))],
            )
        return result

    def _masks(self, image_tokens: Tensor, weights: Tensor, height: int, width: int) -> Tensor:
        """Upscale image tokens (N, h * w, C) four times and take their product with `weights` (N, M, C / 8).

        Channels stay last throughout: so the convolutions take the tokens as they are, without a copy.
        """
        first, second = (cast(nn.ConvTranspose2d, self.output_upscaling[i]) for i in (0, 3))
        norm = cast(LayerNorm2d, self.output_upscaling[1])
        # (N, C, h, w), channels last in memory
        x = image_tokens.transpose(1, 2).view(image_tokens.shape[0], image_tokens.shape[2], height, width)
        x = norm.over_last_axis(first(x).permute(0, 2, 3, 1))
        x = second(gelu_in_place(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (N, 4h, 4w, C / 8)
        product = weights @ gelu_in_place(x).flatten(1, 2).transpose(1, 2)  # (N, M, 16 * h * w)
        return product.view(*product.shape[:2], 4 * height, 4 * width)


def _asked(multimask: bool) -> slice:
    """The mask tokens that answer: one for unambiguous prompts, the others for ambiguous ones."""
    return slice(1, None) if multimask else slice(0, 1)
