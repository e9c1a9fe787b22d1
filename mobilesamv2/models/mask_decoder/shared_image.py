"""What all prompts on one picture share in SAM's mask decoder, projected once: see `shared_decoding`.

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
class Stage:
    """What is shared of the image tokens up to one of the norms.

    Args:
        key: for the attention of tokens to the image.
        value: (H, d, L), likewise, without its bias.
        query: for the attention of the image to tokens; None after the last block, which has none, nor a norm.
        squares: (L,), squared length of the base as the norm sees it.
        crosses: for each attention of the image so far, (H, d, L): products of that base with its output weights.
        dense: (D, L), products of that base with what dense prompts are mixed from.
        constants: (k, L), products of that base with what the norms so far and the biases between them added.
    """

    key: Projected
    value: Tensor
    query: Projected | None = None
    squares: Tensor | None = None
    crosses: tuple[Tensor, ...] = ()
    dense: Tensor | None = None
    constants: Tensor | None = None


@dataclass(frozen=True, eq=False)
class SharedImage:
    """What all prompts share of one image in one decoder.

    Args:
        stages: one for each block, and one after the last.
        dense: (D, C), what dense prompts are mixed from.
        upscaled: (L, 4 * C / 4), the first upscaling of the base, for the 2 x 2 pixels that a token becomes.
        size_hw: height and width of the image embedding, L in all.
    """

    stages: tuple[Stage, ...]
    dense: Tensor
    upscaled: Tensor
    size_hw: tuple[int, int]


@torch.no_grad()
def share_image(
    *,
    transformer: TwoWayTransformer,
    upscaling: nn.ConvTranspose2d,
    image: Tensor,
    image_code: Tensor,
    dense: Tensor,
) -> SharedImage:
    """Project an image for all prompts.

    Args:
        transformer: of the decoder.
        upscaling: the decoder's first transposed convolution, whose stride is its size.
        image: (C, h, w), the embedding with what is the same in all dense prompts.
        image_code: (C, h, w), its position code.
        dense: (D, C), what the rest of a dense prompt is mixed from; D may be 0.
    """
    base, code = image.flatten(1).contiguous(), image_code.flatten(1)  # (C, L): the long axis contiguous
    outputs: list[
        Tensor
    ] = []  # (C, H * d), weights of each attention so far, as the norms have changed them since
    constants: list[Tensor] = []  # (C,), what norms added
    drawn = dense.T  # (C, D)
    stages = []
    for index, module in enumerate(transformer.layers):
        block = cast(TwoWayBlock, module)
        look, answer = block.cross_attn_token_to_image, block.cross_attn_image_to_token
        key = _projected(look.k_proj, look, base, code, scaled=index > 0)
        query = _projected(answer.q_proj, answer, base, code, scaled=index > 0)
        value = _by_head(look.v_proj.weight @ base, look)
        # What the attention of the image adds, whoever asks, is one more constant.
        if constants:
            constants[-1] = constants[-1] + answer.out_proj.bias
        else:
            base = base + answer.out_proj.bias[:, None]
        outputs.append(answer.out_proj.weight)
        base, drawn = base - base.mean(0), drawn - drawn.mean(0)
        outputs, constants = _centred(outputs), _centred(constants)
        stages.append(
            Stage(
                key=key,
                value=value,
                query=query,
                squares=base.square().sum(0),
                crosses=tuple(_by_head(output.T @ base, answer) for output in outputs),
                dense=drawn.T @ base,
                constants=torch.stack(constants) @ base if constants else None,
            )
        )
        gain = block.norm4.weight
        base, drawn = base * gain[:, None], drawn * gain[:, None]
        outputs = [output * gain[:, None] for output in outputs]
        constants = [*(constant * gain for constant in constants), block.norm4.bias]
    look = transformer.final_attn_token_to_image
    key = _projected(look.k_proj, look, base, code, scaled=len(stages) > 0)
    stages.append(Stage(key=key, value=_by_head(look.v_proj.weight @ base, look)))
    return SharedImage(
        stages=tuple(stages),
        dense=dense,
        upscaled=base.T @ upscaling_matrix(upscaling),
        size_hw=(image.shape[1], image.shape[2]),
    )


def upscaling_matrix(layer: nn.ConvTranspose2d) -> Tensor:
    """(in, 4 * out): a transposed convolution of size and stride 2 as a product, for each of the 2 x 2 pixels."""
    return layer.weight.permute(0, 2, 3, 1).flatten(1)


def _centred(vectors: list[Tensor]) -> list[Tensor]:
    """Take the mean over channels, the first axis, away."""
    return [vector - vector.mean(0) for vector in vectors]


def _by_head(x: Tensor, attention: Attention) -> Tensor:
    return x.view(attention.heads, -1, x.shape[1])


def _projected(
    layer: nn.Linear, attention: Attention, base: Tensor, code: Tensor, *, scaled: bool
) -> Projected:
    bias = layer.bias[:, None]
    if not scaled:
        return Projected(_by_head(layer.weight @ (base + code) + bias, attention), None)
    return Projected(
        _by_head(layer.weight @ base, attention), _by_head(layer.weight @ code + bias, attention)
    )
