"""From the decoder's low-resolution logits to compact masks of the original size.

The published way enlarges every mask to the whole picture twice. Here both steps are one small matrix per
axis, and only the columns and rows that a mask can reach are ever computed, one mask at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..geometry import Frame
from ..types import Bools, Floats, Ints, Rle
from .rle import box_of_runs, column_runs, encode_runs

_BAND_VALUES = 1 << 18
"""Upsampled logits held at a time: 1 MiB of float32, which stays in a core's cache."""
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
    logits: Tensor, frame: Frame, *, stability_offset: float = 1.0, threshold: float = 0.0
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
    rows = _Axis.through(low_height, frame.input_side, resized_height, height)
    columns = _Axis.through(low_width, frame.input_side, resized_width, width)
    levels = (threshold - stability_offset, threshold, threshold + stability_offset)

    finite = torch.nan_to_num(
        logits.detach().float(), nan=-_LARGEST_LOGIT, posinf=_LARGEST_LOGIT, neginf=-_LARGEST_LOGIT
    )
    rles: list[Rle] = []
    boxes = np.zeros((count, 4), dtype=np.float32)
    areas = np.zeros((count, 3), dtype=np.int64)
    for index, low in enumerate(finite.cpu().numpy()):
        padded, origin_yx, areas[index] = _thresholded(low, rows, columns, levels)
        runs = column_runs(padded, origin_yx=origin_yx, height=height)
        rles.append(encode_runs(runs, size_hw=frame.size_hw))
        boxes[index] = box_of_runs(runs, height=height)
    with np.errstate(invalid="ignore"):
        stability = (areas[:, 2] / areas[:, 0]).astype(np.float32)
    return CompactMasks(rles=tuple(rles), boxes_xyxy=boxes, areas=areas[:, 1], stability=stability)


@dataclass(frozen=True, eq=False)
class _Axis:
    """How the original pixels along one axis are mixed from low-resolution ones.

    Args:
        weights: float32 (out, low); each row sums to 1 and is 0 but for up to four neighbours.
        first, last: int64 (out,), the first and last low-resolution pixel that may count. Both only rise.
    """

    weights: Floats
    first: Ints
    last: Ints

    @classmethod
    def through(cls, low: int, input_side: int, resized: int, out: int) -> _Axis:
        """Low resolution -> model input -> its first `resized` pixels -> `out` original pixels."""
        near, far, far_share = _linear_taps(input_side, low)
        near2, far2, far_share2 = _linear_taps(out, resized)
        weights = np.zeros((out, low), dtype=np.float32)
        every = np.arange(out)
        for tap, share in ((near2, 1 - far_share2), (far2, far_share2)):
            weights[every, near[tap]] += share * (1 - far_share[tap])
            weights[every, far[tap]] += share * far_share[tap]
        return cls(weights=weights, first=near[near2], last=far[far2])

    def reached_from(self, low: Bools) -> slice:
        """The original pixels, as one range, that the set low-resolution pixels can change."""
        set_pixels = np.flatnonzero(low)
        if len(set_pixels) == 0:
            return slice(0, 0)
        start = int(np.searchsorted(self.last, set_pixels[0], side="left"))
        stop = int(np.searchsorted(self.first, set_pixels[-1], side="right"))
        return slice(start, max(start, stop))  # pixels between samples of a shrunk axis reach nothing

    def needed_for(self, out: slice) -> slice:
        """The low-resolution pixels that a range of original pixels, not empty, is mixed from."""
        return slice(int(self.first[out.start]), int(self.last[out.stop - 1]) + 1)


def _linear_taps(out: int, size: int) -> tuple[Ints, Ints, Floats]:
    """Bilinear sampling of `size` pixels at `out` places: both neighbours and the share of the second.

    Positions are rounded to float32 as torch's `interpolate` does, which shows on large pictures.
    """
    scale = np.float32(size) / np.float32(out)
    position = np.maximum(scale * (np.arange(out, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    near = np.minimum(position.astype(np.int64), size - 1)
    far = np.minimum(near + 1, size - 1)
    return near, far, (position - near).clip(0, 1).astype(np.float32)


def _thresholded(
    low: Floats, rows: _Axis, columns: _Axis, levels: tuple[float, float, float]
) -> tuple[Bools, tuple[int, int], Ints]:
    """One mask inside the window it can reach.

    A bilinear value lies between its taps, so it exceeds the lowest level only where a tap does.

    Returns:
        the window's columns as `column_runs` wants them, its origin (y, x), and the areas above the levels.
    """
    possible = low > levels[0]
    window_y = rows.reached_from(np.logical_or.reduce(possible, axis=1))
    window_x = columns.reached_from(np.logical_or.reduce(possible, axis=0))
    padded = np.zeros((window_x.stop - window_x.start, window_y.stop - window_y.start + 1), dtype=np.bool_)
    areas = np.zeros(3, dtype=np.int64)
    step = max(1, _BAND_VALUES // padded.shape[1])
    for start in range(window_x.start, window_x.stop, step):
        band_x = slice(start, min(start + step, window_x.stop))
        low_x = columns.needed_for(band_x)
        band_y = rows.reached_from(
            np.logical_or.reduce(possible[:, low_x], axis=1)
        )  # often less than the window
        if band_y.start == band_y.stop:
            continue
        low_y = rows.needed_for(band_y)
        tall = rows.weights[band_y, low_y] @ low[low_y, low_x]  # (rows of the band, few)
        band = columns.weights[band_x, low_x] @ tall.T  # (columns, rows): COCO counts down columns
        target = padded[
            band_x.start - window_x.start : band_x.stop - window_x.start,
            band_y.start - window_y.start : band_y.stop - window_y.start,
        ]
        np.greater(band, levels[1], out=target)
        areas += [
            np.count_nonzero(band > levels[0]),
            np.count_nonzero(target),
            np.count_nonzero(band > levels[2]),
        ]
    return padded, (window_y.start, window_x.start), areas
