"""EfficientViT-SAM's image encoder: convolutions, linear attention at the coarsest level, a neck over three levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EfficientVitConfig:
    """Sizes of an EfficientViT with SAM's neck. The defaults are L0's; `efficientvit_config` knows the published ones.

    Args:
        widths: channels of the five stages, at strides 2, 4, 8, 16 and 32.
        depths: blocks of each stage, beside the one that shrinks.
        neck_depth: blocks of the neck.
        neck_width: channels inside the neck.
        head_width: channels of one attention head; divides the last of `widths`.
        out_width: channels of the embedding.
        input_side: side in pixels of the square that the network sees; the embedding's stride is 8 of these pixels.
        squeezed_from: side in pixels of the square that `forward` takes, where it is another one: the pixels are
            squeezed to `input_side` first. MobileSAMv2 runs L2 so, with 1024; EfficientViT-SAM itself scales the
            picture to 512.
    """

    widths: tuple[int, int, int, int, int] = (32, 64, 128, 256, 512)
    depths: tuple[int, int, int, int, int] = (1, 1, 1, 4, 4)
    neck_depth: int = 4
    neck_width: int = 256
    head_width: int = 32
    out_width: int = 256
    input_side: int = 512
    squeezed_from: int | None = None


def efficientvit_config(
    size: Literal["l0", "l1", "l2"], *, squeezed_from: int | None = None
) -> EfficientVitConfig:
    """The published encoders of EfficientViT-SAM (arXiv 2402.05008)."""
    if size == "l0":
        return EfficientVitConfig(squeezed_from=squeezed_from)
    if size == "l1":
        return EfficientVitConfig(depths=(1, 1, 1, 6, 6), neck_depth=8, squeezed_from=squeezed_from)
    return EfficientVitConfig(depths=(1, 2, 2, 8, 8), neck_depth=12, squeezed_from=squeezed_from)
