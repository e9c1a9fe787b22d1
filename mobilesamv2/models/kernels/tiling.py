"""Large pictures a few rows at a time, so that what lies between layers stays in a processor's cache.

A system hands out fresh memory page by page, and on a CPU that often takes longer than the layer that fills it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BAND_BYTES = 1 << 23
"""Of the widest features between two layers."""


def rows_that_fit(x: Tensor, *, columns: int, channels: int, multiple_of: int = 1) -> int | None:
    """How many rows of `columns` vectors of `channels` numbers make a band; at least `multiple_of`.

    Returns:
        None where pictures are better done whole: on accelerators, which like large pieces, and with gradients,
        which keep everything between two layers anyway.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return None
    row_bytes = max(1, columns * channels * x.element_size())
    return max(1, BAND_BYTES // row_bytes // multiple_of) * multiple_of


def in_row_bands(
    x: Tensor, do: Callable[[Tensor], Tensor], *, rows: int | None, stride: int = 1, margin: int = 0
) -> Tensor:
    """Do to a few rows of (N, C, H, W) at a time what `do` does to them all.

    Args:
        do: makes (N, D, H / stride, W') of (N, C, H, W) for every H that is a multiple of `stride`. A row of what
            it makes depends on the `stride` rows it stands for and, where there is a margin, on no row that is
            farther from them than `margin` times `stride`.
        rows: rows of the result in a band; None: all at once.
    """
    height = x.shape[2] // stride
    if rows is None or rows >= height:
        return do(x)
    bands = []
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        above, below = max(start - margin, 0), min(stop + margin, height)
        made = do(x[:, :, above * stride : below * stride])
        bands.append(made[:, :, start - above : stop - above])
    return torch.cat(bands, dim=2)
