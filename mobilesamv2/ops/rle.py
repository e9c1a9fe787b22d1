"""COCO run lengths of a mask that is known only inside a window, without an array of the whole picture.

Reading them back is `types.decode_rle`.
"""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from ..types import Bools, Ints, Rle


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
        raise ValueError(
            f"A window {window.shape} at {origin_yx} does not lie within a picture of {size_hw}."
        )
    padded = np.zeros((columns, rows + 1), dtype=np.bool_)
    padded[:, :-1] = window.T
    return encode_runs(column_runs(padded, origin_yx=origin_yx, height=size_hw[0]), size_hw=size_hw)


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
    rle: Rle = coco_mask.frPyObjects(
        {"size": [height, width], "counts": counts.astype(np.uint32)}, height, width
    )
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
