"""Coordinate transforms between a picture and the model's square input. Pure arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import PromptError


@dataclass(frozen=True)
class ResizeLongestSide:
    """How a picture lies in the model's input: scaled so that its longer side fits, at the top left, zeros below.

    Args:
        size_hw: height and width of the original picture in pixels.
        input_side: side of the model's square input in pixels.
    """

    size_hw: tuple[int, int]
    input_side: int

    @property
    def resized_hw(self) -> tuple[int, int]:
        """Height and width after scaling; rounded half up as in SAM, but never 0."""
        height, width = self.size_hw
        scale = self.input_side / max(height, width)
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    @property
    def _scale_xy(self) -> npt.NDArray[np.float64]:
        # Ratios of rounded sizes, as SAM takes them: slightly different along x and y.
        height, width = self.size_hw
        new_height, new_width = self.resized_hw
        return np.array([new_width / width, new_height / height])

    def points_to_input(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Move points (..., 2), x before y, from original pixels to input pixels."""
        return np.asarray(points, dtype=np.float64) * self._scale_xy

    def boxes_to_input(self, boxes_xyxy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Move boxes (..., 4) from original pixels to input pixels."""
        return np.asarray(boxes_xyxy, dtype=np.float64) * np.tile(self._scale_xy, 2)


DEFAULT_SIDE = 1024
"""Of tiles in pixels: the side of SAM's input, so that a window is seen as it is."""


@dataclass(frozen=True)
class Tiles:
    """Overlapping square windows that cover a picture.

    Args:
        side: of each window in pixels.
        overlap: share of its side that a window has in common with the next one at least, 0 to 0.5. What is smaller
            than that is seen whole by some window.

    Raises:
        PromptError: if a number is out of range.
    """

    side: int = DEFAULT_SIDE
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.side < 32:
            raise PromptError(f"The side of a tile must be at least 32 pixels; got {self.side}.")
        if not 0 <= self.overlap <= 0.5:
            raise PromptError(f"The overlap of tiles must lie within 0 to 0.5; got {self.overlap}.")

    def windows(self, size_hw: tuple[int, int]) -> list[tuple[int, int, int, int]]:
        """The windows of a picture, row by row: x0 y0 x1 y1, x1 and y1 one past the last pixel, at even distances."""
        rows, columns = (self._spans(length) for length in size_hw)
        return [(x0, y0, x1, y1) for y0, y1 in rows for x0, x1 in columns]

    def _spans(self, length: int) -> list[tuple[int, int]]:
        if length <= self.side:
            return [(0, length)]
        step = self.side * (1 - self.overlap)
        count = math.ceil((length - self.side) / step) + 1
        starts = (round(index * (length - self.side) / (count - 1)) for index in range(count))
        return [(start, start + self.side) for start in starts]
