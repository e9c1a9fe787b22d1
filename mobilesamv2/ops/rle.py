"""COCO run lengths both ways, of a window of the picture, without an array of the whole picture."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from ..arrays import Bools, Ints, Rle


def encode_window(window: Bools, *, origin_yx: tuple[int, int], size_hw: tuple[int, int]) -> Rle:
    """Encode a mask that is `window` at `origin_yx` of the picture and nothing elsewhere.

    Args:
        window: bool (h, w), either side may be 0.
        origin_yx: the row and column of the window's first pixel.
        size_hw: height and width of the picture; the window lies within.

    Returns:
        Compressed run lengths, byte for byte those that pycocotools gives for the whole mask.

    Raises:
        ValueError: if the window does not lie within the picture.
    """
    rows, columns = window.shape
    y0, x0 = origin_yx
    if y0 < 0 or x0 < 0 or y0 + rows > size_hw[0] or x0 + columns > size_hw[1]:
        raise ValueError(f"A window {window.shape} at {origin_yx} does not lie within a picture of {size_hw}.")
    return encode_runs(window_runs(window, origin_yx=origin_yx, height=size_hw[0]), size_hw=size_hw)


def window_runs(window: Bools, *, origin_yx: tuple[int, int], height: int) -> Ints:
    """The runs (`column_runs`) of a mask that is `window` at `origin_yx` of a picture of that height."""
    padded = np.zeros((window.shape[1], window.shape[0] + 1), dtype=np.bool_)
    padded[:, :-1] = window.T
    return column_runs(padded, origin_yx=origin_yx, height=height)


def column_runs(padded_columns: Bools, *, origin_yx: tuple[int, int], height: int) -> Ints:
    """Find the runs of set pixels, counted as COCO does: down each column, column after column.

    Args:
        padded_columns: bool (w, h + 1), the window transposed, with one False after each column. The caller
            fills it so that large masks need not be copied to be transposed.
        origin_yx: the row and column of the window's first pixel in the picture.
        height: height of the picture.

    Returns:
        int64 (R, 2), where each run starts and the position after its end, rising; runs never touch.
    """
    stride = padded_columns.shape[1]
    y0, x0 = origin_yx
    if padded_columns.size == 0:
        return np.zeros((0, 2), dtype=np.int64)
    flat = padded_columns.reshape(-1)
    # Each column ends in False, so the window does too: every run that starts also ends inside the array.
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat[0]:
        turns = np.concatenate([[0], turns])
    column, row = np.divmod(turns, stride)
    return runs_between((x0 + column) * height + y0 + row)


def runs_between(turns: Ints) -> Ints:
    """Runs from the places where one begins and where it ends, in turn, each column by itself.

    Args:
        turns: int64 (2 R,), not falling. A place is twice among them where a run down to the picture's last row goes
            on at the top of the next column.

    Returns:
        int64 (R, 2), where each run starts and the position after its end, rising; runs never touch.
    """
    once = np.ones(len(turns), dtype=np.bool_)
    same = turns[1:] == turns[:-1]
    once[1:] &= ~same
    once[:-1] &= ~same
    return turns[once].reshape(-1, 2)


def encode_runs(runs: Ints, *, size_hw: tuple[int, int]) -> Rle:
    """Compressed COCO run lengths of the runs that `column_runs` found."""
    height, width = size_hw
    counts = np.diff(runs.reshape(-1), prepend=0, append=height * width)
    if len(runs) and counts[-1] == 0:
        counts = counts[:-1]
    rle: Rle = coco_mask.frPyObjects({"size": [height, width], "counts": counts.astype(np.uint32)}, height, width)
    return {"size": [height, width], "counts": rle["counts"]}


def box_of_runs(runs: Ints, *, height: int) -> tuple[int, int, int, int]:
    """Tightest box x0 y0 x1 y1 around the runs, x1 and y1 one past the last pixel; 0 0 0 0 for no runs."""
    if len(runs) == 0:
        return 0, 0, 0, 0
    first_column, first_row = np.divmod(runs[:, 0], height)
    last_column, last_row = np.divmod(runs[:, 1] - 1, height)
    x0, x1 = int(first_column[0]), int(last_column[-1]) + 1
    if (first_column != last_column).any():  # such a run passes the bottom and the top of the picture
        return x0, 0, x1, height
    return x0, int(first_row.min()), x1, int(last_row.max()) + 1


def decode_rle(rle: Rle, box_xyxy: tuple[int, int, int, int] | None = None) -> Bools:
    """Decode a mask, or only the part of it that lies in a box; no more than the box's columns is ever built.

    Written here because pycocotools' own decoding calls numpy in a way that numpy has deprecated.

    Args:
        rle: compressed run lengths.
        box_xyxy: x0 y0 x1 y1 within the picture, x1 and y1 one past the last pixel; None for everything.

    Returns:
        bool (y1 - y0, x1 - x0).
    """
    height, width = (int(side) for side in rle["size"])
    x0, y0, x1, y1 = (0, 0, width, height) if box_xyxy is None else box_xyxy
    # Lengths of the runs, unset and set in turn, as far as they lie within the columns x0 to x1.
    edges = np.cumsum(run_lengths(rle)).clip(x0 * height, x1 * height)
    lengths = np.diff(edges, prepend=x0 * height)
    columns = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(x1 - x0, height)
    return columns[:, y0:y1].T


def run_lengths(rle: Rle) -> Ints:
    """The lengths of the runs of a compressed mask, unset and set in turn, down the columns.

    Each number is written in groups of five bits, least first, as characters from '0' on: bit 6 of a
    character says that more follow, bit 5 of the last one is the sign. From the fourth number on, each is the
    difference to the one before the last.
    """
    digits = np.frombuffer(rle["counts"], dtype=np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(digits < 32)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(digits)) - np.repeat(starts, ends - starts + 1)
    numbers = np.add.reduceat((digits & 31) << (5 * place), starts)
    negative = (digits[ends] & 16) != 0
    numbers -= negative.astype(np.int64) << (5 * (place[ends] + 1))
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
