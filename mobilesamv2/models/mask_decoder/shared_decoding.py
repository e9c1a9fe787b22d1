"""Decodes prompts that share one image without ever giving a prompt an image of its own.

In SAM's decoder every prompt rewrites the 4,096 image tokens twice, and each rewritten copy (4 MB) is projected, read
and normalised. But all that a prompt adds to the image tokens is a mixture of a few vectors: the attention of the image
to the tokens gives each head as many weights per pixel as there are tokens, 56 in all. So the image tokens are

    x = scale * base + rows^T mixed

with `base` (L, C) shared by all prompts, `rows` (r, L) the attention weights and `mixed` (r, C) what they stand for.
An attention appends to both. Layer normalisation is a scale per pixel; the variance it needs follows from products of
`mixed` with itself and with the base. Everything else that reads the image is linear, so its weights are applied to
the base once per picture (`shared_image`), and to the few rows of `mixed` once per prompt.

The numbers are those of `TwoWayTransformer` but for the order of summation, for about half of its multiplications and a
quarter of its memory traffic. It pays in float32 on a CPU: in half precision the variance would lose its digits, and a
GPU prefers fewer, larger steps.

Shapes: N prompts of T tokens, L image tokens of C channels, H heads of d channels, R = H * T, r rows so far.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..layers import LayerNorm2d
from .shared_image import Projected, SharedImage, Stage, upscaling_matrix
from .two_way_transformer import Attention, TwoWayBlock, TwoWayTransformer


class ImageTokens:
    """The image tokens of N prompts as `scale * base + rows^T mixed`; see the module.

    Args:
        rows: (N, most, L), of which the first r are written.
        mixed: (N, r, C), what the rows stand for.
        scale: (N, L), of the base; None: 1.
        answers: (N, H, T, d), what each attention of the image so far mixes, before its output weights.
    """

    def __init__(self, *, rows: Tensor, mixed: Tensor) -> None:
        self.rows = rows
        self.mixed = mixed
        self.scale: Tensor | None = None
        self.answers: list[Tensor] = []

    def written(self, index: int) -> Tensor:
        """The rows (r, L) of one prompt."""
        return self.rows[index, : self.mixed.shape[1]]


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
        length = shared.upscaled.shape[0]
        self.heads = transformer.final_attn_token_to_image.heads
        # Every block adds R rows and its norm one.
        self.most_rows = len(shared.dense) + len(self.blocks) * (self.heads * tokens + 1)
        self._scores = shared.upscaled.new_empty(self.heads, tokens, length)
        self._weights = torch.empty_like(self._scores)
        self._products = shared.upscaled.new_empty(self.most_rows, length)
        self._upscaled = torch.empty_like(shared.upscaled)
        self._matrix = upscaling_matrix(upscaling)

    def run(self, tokens: Tensor, dense: Tensor) -> tuple[Tensor, ImageTokens]:
        """As `TwoWayTransformer.forward` with tokens (N, T, C): tokens (N, T, C) and the image tokens.

        Args:
            dense: (N, D, L), how the dense prompts are mixed.
        """
        code = tokens
        rows = tokens.new_empty(len(tokens), self.most_rows, self._scores.shape[2])
        rows[:, : dense.shape[1]] = dense
        image = ImageTokens(rows=rows, mixed=self.shared.dense.expand(len(tokens), -1, -1))
        for block, stage in zip(self.blocks, self.shared.stages[:-1], strict=True):
            tokens = block.attend_to_tokens(tokens, code)
            seen = self._look(block.cross_attn_token_to_image, stage, image, tokens + code)
            tokens = block.norm2(tokens + seen)
            tokens = block.norm3(tokens + block.mlp(tokens))
            self._answer(block.cross_attn_image_to_token, stage, image, key=tokens + code, value=tokens)
            self._normalise(block.norm4, stage, image)
        attention = self.transformer.final_attn_token_to_image
        seen = self._look(attention, self.shared.stages[-1], image, tokens + code)
        return self.transformer.norm_final_attn(tokens + seen), image

    def upscale(self, image: ImageTokens, index: int) -> Tensor:
        """One prompt's image tokens through the first upscaling and its norm: (4 * L, C / 4), four pixels a token."""
        kernel = image.mixed[index] @ self._matrix  # (r, 4 * C / 4)
        assert self.upscaling.bias is not None
        kernel[-1] += self.upscaling.bias.repeat(4)  # the last row is of ones
        x = torch.mm(image.written(index).T, kernel, out=self._upscaled)
        assert image.scale is not None
        x.addcmul_(self.shared.upscaled, image.scale[index][:, None])
        return self.norm.over_last_axis(x.view(-1, self.norm.weight.shape[0]))

    def _score(
        self, few: Tensor, projected: Projected, folded: Tensor, image: ImageTokens, index: int
    ) -> Tensor:
        """Products (H, T, L) of tokens (H, T, d) with a projection of one prompt's image tokens.

        Args:
            folded: (R, r), the same tokens times the projection of `mixed`.
        """
        scores = torch.bmm(few, projected.base, out=self._scores)
        if image.scale is not None:
            scores.mul_(image.scale[index])
        if folded.shape[1]:
            scores.flatten(0, 1).addmm_(folded, image.written(index))
        return scores if projected.code is None else scores.baddbmm_(few, projected.code)

    def _look(self, attention: Attention, stage: Stage, image: ImageTokens, tokens: Tensor) -> Tensor:
        """What tokens (N, T, C) see in the image, (N, T, C)."""
        q = attention.split(attention.q_proj(tokens))  # (N, H, T, d)
        q = q * q.shape[-1] ** -0.5
        folded = _folded(q, attention.k_proj, image)
        direct = torch.empty_like(q, memory_format=torch.contiguous_format)
        shares = q.new_empty(*folded.shape)  # (N, R, r), of each row in what is seen
        value = stage.value.transpose(1, 2)  # (H, L, d)
        for index in range(len(q)):
            scores = self._score(q[index], stage.key, folded[index], image, index)
            weights = torch.softmax(scores, 2, out=self._weights)
            if shares.shape[2]:
                torch.mm(weights.flatten(0, 1), image.written(index).T, out=shares[index])
            if image.scale is not None:
                weights.mul_(image.scale[index])
            torch.bmm(weights, value, out=direct[index])
        values = attention.split(F.linear(image.mixed, attention.v_proj.weight))  # (N, H, r, d)
        seen = direct + shares.unflatten(1, q.shape[1:3]) @ values
        # Weights sum to 1, so the value's bias is seen as it is.
        seen = seen.transpose(1, 2).flatten(2) + attention.v_proj.bias
        return torch.as_tensor(attention.out_proj(seen))

    def _answer(
        self, attention: Attention, stage: Stage, image: ImageTokens, *, key: Tensor, value: Tensor
    ) -> None:
        """Let the image look at tokens (N, T, C), and add what it sees."""
        k, v = attention.split(attention.k_proj(key)), attention.split(attention.v_proj(value))
        k = k * k.shape[-1] ** -0.5
        folded = _folded(k, attention.q_proj, image)
        first = image.mixed.shape[1]
        assert stage.query is not None  # every block has one
        for index in range(len(k)):
            scores = self._score(k[index], stage.query, folded[index], image, index)
            added = image.rows[index, first : first + folded.shape[1]]
            torch.softmax(scores, 1, out=added.view_as(scores))
        # The base carries the bias of the first such attention, a norm's row of ones that of a later one.
        if image.answers:
            image.mixed[:, -1] += attention.out_proj.bias
        output = attention.out_proj.weight.T.reshape(attention.heads, -1, image.mixed.shape[2])  # (H, d, C)
        image.mixed = torch.cat([image.mixed, (v @ output).flatten(1, 2)], dim=1)
        image.answers.append(v)

    def _normalise(self, norm: nn.LayerNorm, stage: Stage, image: ImageTokens) -> None:
        """Layer normalisation: a scale per pixel, a gain per channel, and a row of ones for the bias."""
        mixed = image.mixed - image.mixed.mean(2, keepdim=True)
        squares = mixed @ mixed.transpose(1, 2)  # (N, r, r)
        assert stage.squares is not None  # every block has them
        scale = mixed.new_empty(len(mixed), image.rows.shape[2])
        for index in range(len(mixed)):
            rows = image.written(index)
            base_squares = stage.squares
            products = self._times_base(stage, image, index)[: len(rows)]
            if image.scale is not None:
                products.mul_(image.scale[index])
                base_squares = base_squares * image.scale[index].square()
            # |x|^2 = |base|^2 + 2 rows . (mixed base) + rows . (mixed mixed^T rows)
            products.addmm_(squares[index], rows, alpha=0.5)
            variance = (base_squares + 2 * products.mul_(rows).sum(0)) / mixed.shape[2]
            # Rounding may leave a little less than nothing where the tokens hardly vary.
            inverse = torch.rsqrt(variance.clamp_(min=0) + norm.eps, out=scale[index])
            rows.mul_(inverse)
            image.rows[index, len(rows)] = 1
        image.scale = scale if image.scale is None else image.scale * scale
        image.mixed = torch.cat([mixed * norm.weight, norm.bias.expand(len(mixed), 1, -1)], dim=1)

    def _times_base(self, stage: Stage, image: ImageTokens, index: int) -> Tensor:
        """Products (at least r, L) of the rows' vectors with the base, both centred."""
        assert stage.dense is not None  # every block has it
        start = len(stage.dense)
        self._products[:start] = stage.dense
        for place, (answer, cross) in enumerate(zip(image.answers, stage.crosses, strict=True)):
            heads, tokens = answer.shape[1:3]
            of_attention = self._products[start : start + heads * tokens]
            torch.bmm(answer[index], cross, out=of_attention.view(heads, tokens, -1))
            start += heads * tokens
            if place < len(image.answers) - 1:  # a norm followed
                assert stage.constants is not None
                self._products[start] = stage.constants[place]
                start += 1
        return self._products


def _folded(few: Tensor, layer: nn.Linear, image: ImageTokens) -> Tensor:
    """Tokens (N, H, T, d) times the projection of `mixed`: (N, R, r)."""
    by_head = layer.weight.view(few.shape[1], few.shape[3], -1)  # (H, d, C)
    return (few @ by_head).flatten(1, 2) @ image.mixed.transpose(1, 2)
