"""What all prompts on one picture share in SAM's mask decoder, projected once. ALGEBRA.md derives it.

Shapes: L image tokens of C channels, H heads of d channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .two_way_transformer import Attention, TwoWayBlock, TwoWayTransformer


@dataclass(frozen=True, eq=False)
class Projected:
    """One projection of the image tokens, by head.

    Args:
        base: (H, d, L), of the shared part.
        code: (H, d, L), of what does not scale with it: position code and bias; None where it is within `base`.
    """

    base: Tensor
    code: Tensor | None


@dataclass(frozen=True, eq=False)
class ProjectedBase:
    """The base as one block of the transformer sees it, projected by the layers that read it; see ALGEBRA.md.

    Args:
        key: for the attention of tokens to the image.
        value: (H, d, L), likewise, without its bias.
        query: for the attention of the image to tokens.
        squares: (L,), squared length of the centred base in the norm after that.
        attentions: for each attention of the image so far, (H, d, L): products of that base with its output weights.
        constants: (block, L): products of that base with what the norms of earlier blocks added, and the biases.
    """

    key: Projected
    value: Tensor
    query: Projected
    squares: Tensor
    attentions: tuple[Tensor, ...]
    constants: Tensor


@dataclass(frozen=True, eq=False)
class SharedImage:
    """What all prompts share of one image in one decoder.

    Args:
        blocks: one for each block of the transformer.
        last_key: for the last attention of tokens to the image.
        last_value: (H, d, L), likewise, without its bias.
        upscaled: (L, 4 * C / 4), the first upscaling of the base, for the 2 x 2 pixels that a token becomes.
        size_hw: height and width of the image embedding, L in all.
    """

    blocks: tuple[ProjectedBase, ...]
    last_key: Projected
    last_value: Tensor
    upscaled: Tensor
    size_hw: tuple[int, int]


@torch.no_grad()
def share_image(
    *, transformer: TwoWayTransformer, upscaling: nn.ConvTranspose2d, image: Tensor, image_code: Tensor
) -> SharedImage:
    """Project an image for all prompts.

    Args:
        transformer: of the decoder.
        upscaling: the decoder's first transposed convolution, whose stride is its size.
        image: (C, h, w), the embedding with the dense prompt that all prompts have.
        image_code: (C, h, w), its position code.
    """
    base, code = image.flatten(1).contiguous(), image_code.flatten(1)  # (C, L): the long axis contiguous
    outputs: list[Tensor] = []  # (C, H * d), output weights of each attention so far, as the norms changed them since
    constants: list[Tensor] = []  # (C,), the bias of each norm so far, likewise
    blocks = []
    for index, module in enumerate(transformer.layers):
        block = cast(TwoWayBlock, module)
        to_image, to_tokens = block.cross_attn_token_to_image, block.cross_attn_image_to_token
        key = _projected(to_image.k_proj, to_image, base, code, scaled=index > 0)
        query = _projected(to_tokens.q_proj, to_tokens, base, code, scaled=index > 0)
        value = _by_head(to_image.v_proj.weight @ base, to_image)
        # The output bias is the same for every prompt and pixel. After the first norm it must not scale with the base.
        if index:
            constants[-1] = constants[-1] + to_tokens.out_proj.bias
        else:
            base = base + to_tokens.out_proj.bias[:, None]
        outputs.append(to_tokens.out_proj.weight)
        base, outputs, constants = _centred(base), [*map(_centred, outputs)], [*map(_centred, constants)]
        blocks.append(
            ProjectedBase(
                key=key,
                value=value,
                query=query,
                squares=base.square().sum(0),
                attentions=tuple(_by_head(output.T @ base, to_tokens) for output in outputs),
                constants=torch.stack(constants) @ base if constants else base[:0],
            )
        )
        gain = block.norm4.weight
        base = base * gain[:, None]
        outputs = [output * gain[:, None] for output in outputs]
        constants = [*(constant * gain for constant in constants), block.norm4.bias]
    last = transformer.final_attn_token_to_image
    return SharedImage(
        blocks=tuple(blocks),
        last_key=_projected(last.k_proj, last, base, code, scaled=len(blocks) > 0),
        last_value=_by_head(last.v_proj.weight @ base, last),
        upscaled=base.T @ upscaling_matrix(upscaling),
        size_hw=(image.shape[1], image.shape[2]),
    )


def upscaling_matrix(layer: nn.ConvTranspose2d) -> Tensor:
    """(in, 4 * out): a transposed convolution of size and stride 2 as a product, for each of the 2 x 2 pixels."""
    return layer.weight.permute(0, 2, 3, 1).flatten(1)


def _centred(vectors: Tensor) -> Tensor:
    """Take the mean over channels, the first axis, away."""
    return vectors - vectors.mean(0)


def _by_head(x: Tensor, attention: Attention) -> Tensor:
    return x.view(attention.heads, -1, x.shape[1])


def _projected(layer: nn.Linear, attention: Attention, base: Tensor, code: Tensor, *, scaled: bool) -> Projected:
    bias = layer.bias[:, None]
    if not scaled:
        return Projected(_by_head(layer.weight @ (base + code) + bias, attention), None)
    return Projected(_by_head(layer.weight @ base, attention), _by_head(layer.weight @ code + bias, attention))
