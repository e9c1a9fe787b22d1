"""SAM's mask decoder word for word, slowly: an image of its own for every prompt, nothing folded or shared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mobilesamv2.models.mask_decoder.decoder import MaskDecoder


def plain_transform(decoder: MaskDecoder, image: Tensor, code: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens (N, T, C) and images (N, L, C) after the two-way transformer."""
    token_code = tokens
    blocks: Any = decoder.transformer.layers
    for block in blocks:
        if block.is_first:
            tokens = block.self_attn(query=tokens, key=tokens, value=tokens)
        else:
            placed = tokens + token_code
            tokens = tokens + block.self_attn(query=placed, key=placed, value=tokens)
        tokens = block.norm1(tokens)
        seen = block.cross_attn_token_to_image(query=tokens + token_code, key=image + code, value=image)
        tokens = block.norm2(tokens + seen)
        tokens = block.norm3(tokens + block.mlp(tokens))
        answer = block.cross_attn_image_to_token(query=image + code, key=tokens + token_code, value=tokens)
        image = block.norm4(image + answer)
    attention = decoder.transformer.final_attn_token_to_image
    seen = attention(query=tokens + token_code, key=image + code, value=image)
    return decoder.transformer.norm_final_attn(tokens + seen), image


def plain_decode(
    decoder: MaskDecoder, *, image: Tensor, image_code: Tensor, sparse: Tensor, dense: Tensor, asked: slice
) -> tuple[Tensor, Tensor]:
    """What `MaskDecoder.decode` returns, with the same arguments."""
    count, height, width = len(sparse), *image.shape[2:]
    output_tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([output_tokens.expand(count, -1, -1), sparse], dim=1)
    images = (image + dense).expand(count, -1, -1, -1).flatten(2).transpose(1, 2)
    tokens, images = plain_transform(decoder, images, image_code.flatten(2).transpose(1, 2), tokens)
    upscaled = decoder.output_upscaling(images.transpose(1, 2).unflatten(2, (height, width)))
    masks = [
        torch.einsum("nc,nchw->nhw", mlp(tokens[:, 1 + index]), upscaled)
        for index, mlp in enumerate(decoder.output_hypernetworks_mlps)
    ]
    iou = decoder.iou_prediction_head(tokens[:, 0])
    return torch.stack(masks, dim=1)[:, asked], iou[:, asked]
