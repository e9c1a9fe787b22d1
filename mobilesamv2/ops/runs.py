"""Runs of set pixels, counted down the columns as COCO does: sets of places, without an array of the picture.

Runs are int64 (R, 2): where each starts and the place after its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..arrays import Ints, Rle
from .rle import run_lengths

_STRIP = 1 << 20
"""Places that are painted at a time."""


def runs_of(rle: Rle) -> Ints:
    """The runs of a compressed mask, rising."""
    turns = np.cumsum(run_lengths(rle))
    return turns[: len(turns) // 2 * 2].reshape(-1, 2)


def painted(
    layers: Sequence[Ints],
    values: Sequence[int],
    *,
    size_hw: tuple[int, int],
    background: int,
    dtype: npt.DTypeLike,
) -> npt.NDArray[Any]:
    """Integers (H, W): of each place the value of the last layer whose runs it lies in, `background` in none.

    It is painted in strips of columns that stay in the processor's cache: what lies under other layers is written there
    too, and memory that is new to the process costs more than the painting.
    """
    height, width = size_hw
    out = np.empty(size_hw, dtype=dtype)
    runs = np.concatenate([*layers, np.zeros((0, 2), dtype=np.int64)])
    of_runs = np.repeat(np.asarray(values, dtype=np.int64), [len(layer) for layer in layers])
    columns = max(1, _STRIP // max(1, height))
    for left in range(0, width, columns):
        right = min(left + columns, width)
        low, high = left * height, right * height
        here = np.flatnonzero((runs[:, 0] < high) & (runs[:, 1] > low))
        starts, stops = (runs[here].clip(low, high) - low).T.tolist()
        strip = np.full(high - low, background, dtype=dtype)  # column by column, as runs go
        for start, stop, value in zip(starts, stops, of_runs[here].tolist(), strict=True):
            strip[start:stop] = value
        out[:, left:right] = cv2.transpose(strip.reshape(right - left, height))
    return out


def within_columns(runs: Ints, *, height: int) -> Ints:
    """The same places, in runs that end where their column does."""
    first, last = runs[:, 0] // height, (runs[:, 1] - 1) // height
    pieces = last - first + 1
    column = np.repeat(first - np.cumsum(pieces) + pieces, pieces) + np.arange(pieces.sum())
    starts = np.maximum(np.repeat(runs[:, 0], pieces), column * height)
    stops = np.minimum(np.repeat(runs[:, 1], pieces), (column + 1) * height)
    return np.stack([starts, stops], axis=1)


def intersection(runs: Ints, others: Ints) -> Ints:
    """Places of rising runs that also lie in at least one of the others, which may overlap and be in any order."""
    return _where(runs, others, wanted=True)


def difference(runs: Ints, others: Ints) -> Ints:
    """Places of rising runs that lie in none of the others, which may overlap and be in any order."""
    return _where(runs, others, wanted=False)


def _where(runs: Ints, others: Ints, *, wanted: bool) -> Ints:
    places = np.concatenate([runs[:, 0], runs[:, 1], others[:, 0], others[:, 1]])
    if len(places) == 0:
        return np.zeros((0, 2), dtype=np.int64)
    order = np.argsort(places, kind="stable")
    steps = np.zeros((2, len(places)), dtype=np.int32)
    for row, (begin, count) in enumerate(((0, len(runs)), (2 * len(runs), len(others)))):
        steps[row, begin : begin + count] = 1
        steps[row, begin + count : begin + 2 * count] = -1
    inside, covered = np.cumsum(steps[:, order], axis=1) > 0
    rising = places[order]
    last = np.append(rising[1:] != rising[:-1], True)  # what holds from a place on
    turns = np.flatnonzero(np.diff((inside & (covered == wanted))[last], prepend=False))
    return np.asarray(rising[last][turns].reshape(-1, 2))  # nothing is inside after the last place


def edge_runs(runs: Ints, *, size_hw: tuple[int, int], thickness: int) -> Ints:
    """Places of a mask within `thickness` steps of leaving it, up, down, left or right; leaving the picture is none.

    Args:
        runs: of the mask, rising.
        size_hw: height and width of the picture.
    """
    height, width = size_hw
    if len(runs) == 0 or thickness < 1:
        return np.zeros((0, 2), dtype=np.int64)
    down = within_columns(runs, height=height)
    starts, stops = down[:, 0], down[:, 1]
    top = np.stack([starts, np.minimum(starts + thickness, stops)], axis=1)[starts % height != 0]
    bottom = np.stack([np.maximum(stops - thickness, starts), stops], axis=1)[stops % height != 0]
    # Where the next column is in the picture and not in the mask, and the columns before these places.
    right = difference(runs, np.concatenate([runs - height, [[(width - 1) * height, width * height]]]))
    left = difference(runs, np.concatenate([runs + height, [[0, height]]]))
    steps = height * np.arange(thickness)[:, None, None]
    beside = [(right[None] - steps).reshape(-1, 2), (left[None] + steps).reshape(-1, 2)]
    return intersection(runs, np.concatenate([top, bottom, *beside]))
