"""Which pixel of the picture a point lies in."""

from __future__ import annotations

import numpy as np

from ..types import Ints, Prompts


def pixels_of(prompts: Prompts, size_hw: tuple[int, int]) -> tuple[Ints, Ints]:
    """The pixel of the first point of each prompt, as an index of arrays (H, W): rows int64 (N,), columns int64 (N,).

    Pixel centres are at integers, as in `Prompts`; a point on the edge of the picture counts to its last pixel.
    """
    assert prompts.points is not None
    nearest = np.floor(prompts.points[:, 0] + 0.5).astype(np.int64)
    rows, columns = (nearest[:, axis].clip(0, size_hw[1 - axis] - 1) for axis in (1, 0))
    return rows, columns
