"""Segment Anything's image encoder: a plain ViT that looks inside windows, and everywhere in a few blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class VitConfig:
    """Sizes of SAM's ViT. The defaults are ViT-B's; `vit_config` knows the published three.

    Args:
        width: channels of every block.
        depth: number of blocks.
        heads: attention heads of every block; divides `width`.
        global_blocks: the blocks that attend over the whole picture; the others do inside windows.
        window: side of the attention windows, in patches.
        mlp_ratio: how much wider the hidden layer of a block's MLP is than its ends.
        patch_side: side of a patch in pixels, which is the stride of the embedding.
        input_side: side of the square input in pixels. The position tables are made for it and for nothing else.
        out_width: channels of the embedding.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    global_blocks: tuple[int, ...] = (2, 5, 8, 11)
    window: int = 14
    mlp_ratio: float = 4.0
    patch_side: int = 16
    input_side: int = 1024
    out_width: int = 256


def vit_config(size: Literal["b", "l", "h"]) -> VitConfig:
    """The published encoders: ViT-B, ViT-L and ViT-H of 90, 308 and 637 million parameters (arXiv 2304.02643)."""
    if size == "b":
        return VitConfig()
    if size == "l":
        return VitConfig(width=1024, depth=24, heads=16, global_blocks=(5, 11, 17, 23))
    return VitConfig(width=1280, depth=32, heads=16, global_blocks=(7, 15, 23, 31))
