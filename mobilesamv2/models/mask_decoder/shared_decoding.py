"""The transformer of SAM's mask decoder for prompts that share one image, without an image of their own for each.

ALGEBRA.md derives it. The image tokens of a prompt are kept as `scale * base + rows^T mixed`: the base is shared, and
`rows` are attention weights. The result is that of `TwoWayTransformer` but for the order of summation.

Shapes: N prompts of T tokens, L image tokens of C channels, H heads of d channels, R = H * T, r rows so far.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import LayerNorm2d
from .shared_image import Projected, ProjectedBase, SharedImage, upscaling_matrix
from .two_way_transformer import Attention, TwoWayBlock, TwoWayTransformer


@dataclass(frozen=True)
class RowLayout:
    """Which rows each block of the transformer writes: those of its attention, then one of ones for its norm's bias.

    Args:
        attention_rows: R, rows of one attention: for each head, one for each token.
    """

    attention_rows: int

    def before(self, block: int) -> slice:
        """All rows that earlier blocks wrote."""
        return slice(0, self._first(block))

    def attention(self, block: int) -> slice:
        """The attention weights of the image to the tokens in that block."""
        return slice(self._first(block), self.ones(block))

    def with_attention(self, block: int) -> slice:
        """`before` and `attention`."""
        return slice(0, self.ones(block))

    def ones(self, block: int) -> int:
        """The row of ones of that block's norm, which stands for what is added to every pixel alike."""
        return self._first(block) + self.attention_rows

    def _first(self, block: int) -> int:
        return block * (self.attention_rows + 1)


@dataclass(eq=False)
class ImageTokens:
    """The image tokens of N prompts as `scale * base + rows^T mixed`, in the order of a `RowLayout`.

    Args:
        rows: (N, most rows, L).
        mixed: (N, most rows, C), the vector that each row is the weight of.
        scale: (N, L), of the base; None: 1.
        values: for each block so far, (N, H, T, d): what its attention mixes, before the output weights.
    """

    rows: Tensor
    mixed: Tensor
    scale: Tensor | None = None
    values: list[Tensor] = field(default_factory=list)


class SharedDecoding:
    """The transformer of a decoder, its first upscaling and the norm after it, for prompts that share an image.

    One instance serves one group of prompts on one thread: its scratch memory is written again for every prompt, since
    new memory costs more than the arithmetic.
    """

    def __init__(
        self,
        transformer: TwoWayTransformer,
        upscaling: nn.ConvTranspose2d,
        norm: LayerNorm2d,
        shared: SharedImage,
        *,
        tokens: int,
    ) -> None:
        self.transformer = transformer
        self.upscaling = upscaling
        self.norm = norm
        self.shared = shared
        self.blocks = [cast(TwoWayBlock, block) for block in transformer.layers]
        heads, length = transformer.final_attn_token_to_image.heads, len(shared.upscaled)
        self.layout = RowLayout(attention_rows=heads * tokens)
        self.all_rows = self.layout.before(len(self.blocks))
        self._scores = shared.upscaled.new_empty(heads, tokens, length)
        self._weights = torch.empty_like(self._scores)
        self._products = shared.upscaled.new_empty(self.all_rows.stop, length)
        self._upscaled = torch.empty_like(shared.upscaled)
        self._matrix = upscaling_matrix(upscaling)

    def run(self, tokens: Tensor) -> tuple[Tensor, ImageTokens]:
        """As `TwoWayTransformer.forward` with tokens (N, T, C): tokens (N, T, C) and the image tokens."""
        code = tokens
        count, _, width = tokens.shape
        image = ImageTokens(
            rows=tokens.new_empty(count, self.all_rows.stop, self._scores.shape[2]),
            mixed=tokens.new_empty(count, self.all_rows.stop, width),
        )
        for index, (block, base) in enumerate(zip(self.blocks, self.shared.blocks, strict=True)):
            known = self.layout.before(index)
            tokens = block.attend_to_tokens(tokens, code)
            seen = self._attend_to_image(
                block.cross_attn_token_to_image, base.key, base.value, image, known, tokens + code
            )
            tokens = block.norm2(tokens + seen)
            tokens = block.norm3(tokens + block.mlp(tokens))
            self._attend_to_tokens(index, image, key=tokens + code, value=tokens)
            self._normalise(index, image)
        last = self.transformer.final_attn_token_to_image
        seen = self._attend_to_image(
            last, self.shared.last_key, self.shared.last_value, image, self.all_rows, tokens + code
        )
        return self.transformer.norm_final_attn(tokens + seen), image

    def upscale(self, image: ImageTokens, index: int) -> Tensor:
        """One prompt's image tokens through the first upscaling and its norm: (4 * L, C / 4), four pixels a token."""
        kernel = image.mixed[index] @ self._matrix  # (r, 4 * C / 4)
        assert self.upscaling.bias is not None
        kernel[self.layout.ones(len(self.blocks) - 1)] += self.upscaling.bias.repeat(4)
        x = torch.mm(image.rows[index].T, kernel, out=self._upscaled)
        assert image.scale is not None
        x.addcmul_(self.shared.upscaled, image.scale[index][:, None])
        return self.norm.over_last_axis(x.view(-1, self.norm.weight.shape[0]))

    def _score(self, few: Tensor, projected: Projected, folded: Tensor, rows: Tensor, scale: Tensor | None) -> Tensor:
        """Products (H, T, L) of one prompt's tokens with a projection of its image tokens.

        Args:
            few: (H, T, d), the projected tokens.
            projected: of the base.
            folded: (R, r), the same tokens times the projection of `mixed`.
            rows: (r, L).
            scale: (L,), of the base; None: 1.
        """
        scores = torch.bmm(few, projected.base, out=self._scores)
        if scale is not None:
            scores.mul_(scale)
        if len(rows):
            scores.flatten(0, 1).addmm_(folded, rows)
        return scores if projected.code is None else scores.baddbmm_(few, projected.code)

    def _attend_to_image(
        self,
        attention: Attention,
        key: Projected,
        value: Tensor,
        image: ImageTokens,
        known: slice,
        tokens: Tensor,
    ) -> Tensor:
        """The attention of tokens (N, T, C) to the image, (N, T, C); `known` are the rows so far."""
        q = attention.scaled(attention.q_proj(tokens))  # (N, H, T, d)
        mixed = image.mixed[:, known]
        folded = attention.folded(q, attention.k_proj) @ mixed.transpose(1, 2)  # (N, R, r)
        direct = torch.empty_like(q, memory_format=torch.contiguous_format)
        shares = q.new_empty(*folded.shape)  # (N, R, r): how much of each row a token attends to
        for index, (rows, scale) in enumerate(_each(image, known)):
            scores = self._score(q[index], key, folded[index], rows, scale)
            weights = torch.softmax(scores, 2, out=self._weights)
            if len(rows):
                torch.mm(weights.flatten(0, 1), rows.T, out=shares[index])
            if scale is not None:
                weights.mul_(scale)
            torch.bmm(weights, value.transpose(1, 2), out=direct[index])
        values = attention.split(F.linear(mixed, attention.v_proj.weight))  # (N, H, r, d)
        return attention.projected(direct + shares.view(*q.shape[:3], mixed.shape[1]) @ values)

    def _attend_to_tokens(self, block: int, image: ImageTokens, *, key: Tensor, value: Tensor) -> None:
        """The attention of the image to tokens (N, T, C): its rows and their vectors are written."""
        attention = self.blocks[block].cross_attn_image_to_token
        known, added = self.layout.before(block), self.layout.attention(block)
        k, v = attention.scaled(attention.k_proj(key)), attention.split(attention.v_proj(value))
        folded = attention.folded(k, attention.q_proj) @ image.mixed[:, known].transpose(1, 2)  # (N, R, r)
        for index, (rows, scale) in enumerate(_each(image, known)):
            scores = self._score(k[index], self.shared.blocks[block].query, folded[index], rows, scale)
            torch.softmax(scores, 1, out=image.rows[index, added].view_as(scores))
        if block:  # the base carries the output bias of the first attention
            image.mixed[:, self.layout.ones(block - 1)] += attention.out_proj.bias
        image.mixed[:, added] = attention.answers(v)
        image.values.append(v)

    def _normalise(self, block: int, image: ImageTokens) -> None:
        """Layer normalisation: a scale per pixel, a gain per channel, and a row of ones for the bias."""
        norm, base = self.blocks[block].norm4, self.shared.blocks[block]
        known, ones = self.layout.with_attention(block), self.layout.ones(block)
        mixed = image.mixed[:, known]
        mixed -= mixed.mean(2, keepdim=True)
        squares = mixed @ mixed.transpose(1, 2)  # (N, r, r)
        scale = mixed.new_empty(len(mixed), image.rows.shape[2])
        for index, (rows, base_scale) in enumerate(_each(image, known)):
            base_squares = base.squares
            products = self._times_base(base, image, index, known)
            if base_scale is not None:
                products.mul_(base_scale)
                base_squares = base_squares * base_scale.square()
            # |x|^2 = |base|^2 + 2 rows . (mixed base) + rows . (mixed mixed^T rows)
            products.addmm_(squares[index], rows, alpha=0.5)
            variance = (base_squares + 2 * products.mul_(rows).sum(0)) / mixed.shape[2]
            # Rounding may leave a little less than nothing where the tokens hardly vary.
            inverse = torch.rsqrt(variance.clamp_(min=0) + norm.eps, out=scale[index])
            rows.mul_(inverse)
        image.rows[:, ones] = 1
        image.scale = scale if image.scale is None else image.scale * scale
        mixed *= norm.weight
        image.mixed[:, ones] = norm.bias

    def _times_base(self, base: ProjectedBase, image: ImageTokens, index: int, known: slice) -> Tensor:
        """Products (r, L) of the vectors in one prompt's `mixed` with the base, both centred."""
        for block, (value, projected) in enumerate(zip(image.values, base.attentions, strict=True)):
            product = self._products[self.layout.attention(block)]
            torch.bmm(value[index], projected, out=product.view(*value.shape[1:3], -1))
        for block, constant in enumerate(base.constants):
            self._products[self.layout.ones(block)] = constant
        return self._products[known]


def _each(image: ImageTokens, known: slice) -> list[tuple[Tensor, Tensor | None]]:
    """Rows (r, L) and scale (L,) of each prompt."""
    scales = [None] * len(image.rows) if image.scale is None else list(image.scale)
    return list(zip(image.rows[:, known], scales, strict=True))
