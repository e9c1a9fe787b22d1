"""From the decoder's low-resolution logits to compact masks of the original size.

The published way enlarges every mask to the whole picture twice. Here only what lies along a mask's edge is ever
enlarged, one mask at a time: what its inside and its outside become is known from the logits themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from torch import Tensor

from ..arrays import Bools, Floats, Ints, Rle
from ..geometry import ResizeLongestSide
from .enlarging import Axis, Strips
from .rle import box_of_runs, encode_runs, runs_between

_PIXELS_AT_ONCE = 1 << 17
"""Original pixels that are mixed at a time: half a MiB of float32, of which a core's cache holds several."""
_LARGEST_LOGIT = 1e9
"""Stands in for infinity, so that a tap of weight 0 adds 0 and not NaN."""


@dataclass(frozen=True, eq=False)
class CompactMasks:
    """N masks at original size.

    Args:
        rles: N compressed COCO run lengths.
        boxes_xyxy: float32 (N, 4), tightest boxes, x1 and y1 one past the last pixel; 0 0 0 0 for no pixels.
        areas: int64 (N,), pixels above the threshold.
        stability: float32 (N,), area at the raised threshold over area at the lowered one; NaN for 0/0.
    """

    rles: tuple[Rle, ...]
    boxes_xyxy: Floats
    areas: Ints
    stability: Floats

    def __len__(self) -> int:
        return len(self.rles)


def compact_masks(
    logits: Tensor, frame: ResizeLongestSide, *, stability_offset: float = 1.0, threshold: float = 0.0
) -> CompactMasks:
    """Enlarge logits to the original picture, threshold them and keep the run lengths.

    The numbers are those of SAM's postprocessing: bilinear to the model's input, the padding cut away,
    bilinear to the original size, both without corner alignment or antialiasing; a pixel is in the mask if
    its logit is above the threshold. They agree with it up to rounding in float32.

    Args:
        logits: (N, h, w) on any device, covering the model's whole square input. NaN counts as lowest.
        frame: how the picture lies in that input.
        stability_offset: how far the threshold moves up and down for the stability score; not negative.

    Raises:
        ValueError: if `logits` has another number of axes or the offset is negative.
    """
    if logits.ndim != 3:
        raise ValueError(f"Logits must have the shape (N, h, w); got {tuple(logits.shape)}.")
    if stability_offset < 0:
        raise ValueError(f"The stability offset must not be negative; got {stability_offset}.")
    count, low_height, low_width = logits.shape
    (height, width), (resized_height, resized_width) = frame.size_hw, frame.resized_hw
    rows = Strips.of(Axis.through(low_height, frame.input_side, resized_height, height))
    columns = Axis.through(low_width, frame.input_side, resized_width, width)
    levels = (threshold - stability_offset, threshold, threshold + stability_offset)

    rles: list[Rle] = []
    boxes = np.zeros((count, 4), dtype=np.float32)
    areas = np.zeros((count, 3), dtype=np.int64)
    for index, low in enumerate(logits.detach().float().cpu().numpy()):
        turns, areas[index] = _turns(low, rows, columns, levels)
        runs = runs_between(turns)
        rles.append(encode_runs(runs, size_hw=frame.size_hw))
        boxes[index] = box_of_runs(runs, height=height)
    with np.errstate(invalid="ignore"):
        stability = (areas[:, 2] / areas[:, 0]).astype(np.float32)
    return CompactMasks(rles=tuple(rles), boxes_xyxy=boxes, areas=areas[:, 1], stability=stability)


def _turns(low: Floats, rows: Strips, columns: Axis, levels: tuple[float, float, float]) -> tuple[Ints, Ints]:
    """Where one mask begins and ends, counted down the picture's columns, and its areas above the three levels.

    A mixed value lies between its neighbours. So a strip of a column is above all levels if its neighbours are, and
    below if they are; only what is left, along the mask's edge, is mixed pixel by pixel.

    Returns:
        int64 (2 R,) as `runs_between` takes them, and int64 (3,).
    """
    none, areas = np.zeros(0, dtype=np.int64), np.zeros(3, dtype=np.int64)
    possible = low > levels[0]
    x = columns.reached_from(*_extent(np.logical_or.reduce(possible, axis=0)))
    strips = rows.reached_from(*_extent(np.logical_or.reduce(possible, axis=1)))
    if x.start == x.stop or strips.start == strips.stop:
        return none, areas
    first, start, taps = rows.first[strips], rows.start[strips.start : strips.stop + 1], len(rows.weights)
    mixed_columns = _mixed_along_x(low, columns, x, slice(int(first[0]), int(first[-1]) + taps))

    # Lowest and highest neighbour of each strip: (columns, strips).
    begins = first - first[0]
    neighbours = [_taken(mixed_columns, begins + tap) for tap in range(taps)]
    highest, lowest = reduce(np.maximum, neighbours), reduce(np.minimum, neighbours)
    begin_state = lowest > levels[2]
    areas += begin_state.sum(axis=0, dtype=np.int64) @ np.diff(start)
    unclear = np.flatnonzero((highest > levels[0]) & ~begin_state)
    column, strip = np.divmod(unclear, len(first))
    pixels, areas_along_edge = _mixed_along_y(
        mixed_columns,
        corner=column * mixed_columns.shape[1] + begins[strip],
        strip=strip + strips.start,
        rows=rows,
        levels=levels,
    )
    areas += areas_along_edge

    # A turn is between two pixels of a strip, or where one strip ends and the next begins.
    end_state = begin_state.copy()
    begin_state.reshape(-1)[unclear] = pixels[:, 0]
    end_state.reshape(-1)[unclear] = pixels[:, -1]
    between = np.empty((len(begin_state), len(first) + 1), dtype=np.bool_)
    between[:, 0], between[:, -1] = begin_state[:, 0], end_state[:, -1]
    np.not_equal(begin_state[:, 1:], end_state[:, :-1], out=between[:, 1:-1])
    turned, joint = np.divmod(np.flatnonzero(between), between.shape[1])
    unclear_strip, pixel = np.divmod(np.flatnonzero(pixels[:, 1:] != pixels[:, :-1]), max(1, pixels.shape[1] - 1))
    height = int(rows.start[-1])
    rows_of_turns = np.concatenate([start[joint], start[strip[unclear_strip]] + pixel + 1])
    columns_of_turns = x.start + np.concatenate([turned, column[unclear_strip]])
    return np.sort(columns_of_turns * height + rows_of_turns), areas


def _extent(flags: Bools) -> tuple[int, int]:
    """From the first that is set to after the last; 0, 0 if none is."""
    set_flags = np.flatnonzero(flags)
    return (int(set_flags[0]), int(set_flags[-1]) + 1) if len(set_flags) else (0, 0)


def _mixed_along_x(low: Floats, columns: Axis, x: slice, y: slice) -> Floats:
    """Original columns `x` of low-resolution rows `y`, transposed (columns, rows): COCO counts down columns."""
    first = columns.first[x]
    near_x = columns.neighbours(int(first[0]), int(first[-1]) + columns.taps)
    near_y = np.minimum(np.arange(y.start, y.stop), len(low) - 1)
    part = np.ascontiguousarray(low[near_y[0] : near_y[-1] + 1].T[near_x][:, near_y - near_y[0]])
    np.clip(np.fmax(part, -_LARGEST_LOGIT, out=part), None, _LARGEST_LOGIT, out=part)
    begins, weights = first - first[0], columns.weights[x]
    return reduce(np.add, (part.take(begins + tap, axis=0) * weights[:, tap, None] for tap in range(columns.taps)))


def _mixed_along_y(
    mixed_columns: Floats, *, corner: Ints, strip: Ints, rows: Strips, levels: tuple[float, float, float]
) -> tuple[Bools, Ints]:
    """Whether the pixels of some strips are above the middle level, (S, length), and how many are above each level.

    Args:
        mixed_columns: (columns, low-resolution rows).
        corner: where in these, counted along its memory, the first neighbour of each strip is.
        strip: which of all the strips of a column each one is.
    """
    pixels = np.empty((len(strip), rows.weights.shape[2]), dtype=np.bool_)
    areas = np.zeros(3, dtype=np.int64)
    step = max(1, _PIXELS_AT_ONCE // pixels.shape[1])
    for begin in range(0, len(strip), step):
        piece = slice(begin, begin + step)
        shares = (weights.take(strip[piece], axis=0) for weights in rows.weights)  # one (S, length) for each tap
        mixed = reduce(
            np.add,
            (mixed_columns.take(corner[piece] + tap)[:, None] * share for tap, share in enumerate(shares)),
        )
        real = rows.real.take(strip[piece], axis=0)
        np.greater(mixed, levels[1], out=pixels[piece])
        above = (mixed > levels[0], pixels[piece], mixed > levels[2])
        areas += [np.count_nonzero(part & real) for part in above]
    return pixels, areas


def _taken(values: Floats, rows: Ints) -> Floats:
    """`values[:, rows]`, without a copy where the rows follow each other."""
    begin, end = int(rows[0]), int(rows[-1]) + 1
    return values[:, begin:end] if end - begin == len(rows) else values.take(rows, axis=1)
