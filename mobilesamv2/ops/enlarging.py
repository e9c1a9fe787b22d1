"""Weights of bilinear enlarging along one axis, from low resolution to original pixels.

SAM enlarges bilinearly twice: to the model's square input, whose padding is cut away, and to the original size.
Along one axis both steps together are one sum over two to four neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: original pixel i is the sum over k of `weights[i, k]` times low-resolution pixel `first[i] + k`.

    Args:
        low: number of low-resolution pixels. A neighbour past the last has weight 0.
        first: int64 (out,), only rises.
        weights: float32 (out, taps), not negative, each row sums to 1.
    """

    low: int
    first: Ints
    weights: Floats

    @classmethod
    def through(cls, low: int, input_side: int, resized: int, out: int) -> Axis:
        """Low resolution -> model input -> its first `resized` pixels -> `out` original pixels."""
        near, far, far_share = _linear_taps(input_side, low)
        near2, far2, far_share2 = _linear_taps(out, resized)
        first = near[near2]
        weights = np.zeros((out, int((far[far2] - first).max()) + 1), dtype=np.float32)
        every = np.arange(out)
        for tap, share in ((near2, 1 - far_share2), (far2, far_share2)):
            weights[every, near[tap] - first] += share * (1 - far_share[tap])
            weights[every, far[tap] - first] += share * far_share[tap]
        return cls(low=low, first=first, weights=weights)

    @property
    def taps(self) -> int:
        """How many neighbours an original pixel is mixed from, at the most."""
        return int(self.weights.shape[1])

    def reached_from(self, begin: int, end: int) -> slice:
        """The original pixels, as one range, that low-resolution pixels `begin` to `end - 1` can change."""
        start = int(np.searchsorted(self.first, begin - self.taps + 1, side="left"))
        stop = int(np.searchsorted(self.first, end - 1, side="right"))
        return slice(start, max(start, stop))  # pixels between samples of a shrunk axis reach nothing

    def neighbours(self, begin: int, end: int) -> Ints:
        """Low-resolution pixels `begin` to `end - 1`, where those past the last are the last again."""
        return np.minimum(np.arange(begin, end), self.low - 1)


@dataclass(frozen=True, eq=False)
class Strips:
    """The original pixels of an axis in strips that begin at the same neighbour: as long as one low-resolution pixel.

    Strips are as long as the longest. What a shorter one lacks repeats its last pixel, so that nothing seems to change
    there; `real` tells.

    Args:
        first: int64 (J,), each strip's first neighbour, rising.
        start: int64 (J + 1,), the original pixel where each strip starts; last, how many there are.
        weights: float32 (taps, J, length).
        real: bool (J, length).
    """

    first: Ints
    start: Ints
    weights: Floats
    real: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

    @classmethod
    def of(cls, axis: Axis) -> Strips:
        first, start, sizes = np.unique(axis.first, return_index=True, return_counts=True)
        within = np.arange(sizes.max())
        pixels = start[:, None] + np.minimum(within, sizes[:, None] - 1)
        return cls(
            first=first,
            start=np.append(start, len(axis.first)),
            weights=np.ascontiguousarray(axis.weights[pixels].transpose(2, 0, 1)),
            real=within < sizes[:, None],
        )

    def reached_from(self, begin: int, end: int) -> slice:
        """The strips that low-resolution pixels `begin` to `end - 1` can change."""
        start = int(np.searchsorted(self.first, begin - len(self.weights) + 1, side="left"))
        stop = int(np.searchsorted(self.first, end - 1, side="right"))
        return slice(start, max(start, stop))


def _linear_taps(out: int, size: int) -> tuple[Ints, Ints, Floats]:
    """Bilinear sampling of `size` pixels at `out` places: both neighbours and the share of the second.

    Positions are rounded to float32 as torch's `interpolate` does, which shows on large pictures.
    """
    scale = np.float32(size) / np.float32(out)
    position = np.maximum(scale * (np.arange(out, dtype=np.float32) + np.float32(0.5)) - np.float32(0.5), 0)
    near = np.minimum(position.astype(np.int64), size - 1)
    far = np.minimum(near + 1, size - 1)
    return near, far, (position - near).clip(0, 1).astype(np.float32)
