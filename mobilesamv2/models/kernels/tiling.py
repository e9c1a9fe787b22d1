"""Tiling of large pictures into bands of rows, so that features between two layers stay in a processor's cache.

A system gives a program fresh memory page by page. On a CPU that often takes longer than the layer that fills it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BAND_BYTES = 1 << 23
"""Size of the widest features of a band between two layers."""


def rows_that_fit(x: Tensor, *, columns: int, channels: int, multiple_of: int = 1) -> int | None:
    """Rows in a band of features with so many columns and channels: a multiple of `multiple_of`, and at least that.

    Returns:
        None where whole pictures are better: on accelerators, which are faster on large ones, and with gradients,
        which keep all features between two layers anyway.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return None
    row_bytes = max(1, columns * channels * x.element_size())
    return max(1, BAND_BYTES // row_bytes // multiple_of) * multiple_of


def in_row_bands(
    x: Tensor, do: Callable[[Tensor], Tensor], *, rows: int | None, stride: int = 1, margin: int = 0
) -> Tensor:
    """Apply a function to (N, C, H, W) in bands of rows; the result is that of one application to all rows.

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
