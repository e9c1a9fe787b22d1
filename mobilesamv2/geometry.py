"""Where a pixel of the picture is in the model's square input, and back. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


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
