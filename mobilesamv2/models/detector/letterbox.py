"""Letterbox: a picture of any size in the input of a detector, and boxes back from there."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ...types import Floats, Picture


@dataclass(frozen=True)
class Letterbox:
    """How a picture lies in the detector's input: scaled, centred, grey around it.

    Args:
        size_hw: height and width of the original picture in pixels.
        input_side: what its longer side is scaled to, up or down.
        stride: both sides of the input are multiples of it (the smallest that hold the picture).
    """

    size_hw: tuple[int, int]
    input_side: int
    stride: int = 32

    @property
    def gain(self) -> float:
        """Input pixels per original pixel."""
        return self.input_side / max(self.size_hw)

    @property
    def resized_hw(self) -> tuple[int, int]:
        """Height and width of the scaled picture, never 0."""
        height, width = self.size_hw
        return max(1, round(height * self.gain)), max(1, round(width * self.gain))

    @property
    def shape_hw(self) -> tuple[int, int]:
        """Height and width of the input."""
        height, width = self.resized_hw
        # Counted from the full square, as Ultralytics does: it matters where that is no multiple itself.
        return (
            height + (self.input_side - height) % self.stride,
            width + (self.input_side - width) % self.stride,
        )

    @property
    def left_top(self) -> tuple[int, int]:
        """Columns and rows of grey before the picture; of an odd number the smaller half."""
        return (
            round((self.shape_hw[1] - self.resized_hw[1]) / 2 - 0.1),
            round((self.shape_hw[0] - self.resized_hw[0]) / 2 - 0.1),
        )

    def apply(self, picture: Picture) -> Picture:
        """Scale (bilinear, without antialiasing) and pad with grey 114; channels keep their order."""
        height, width = self.resized_hw
        left, top = self.left_top
        canvas = np.full((*self.shape_hw, 3), 114, dtype=np.uint8)
        canvas[top : top + height, left : left + width] = (
            picture
            if picture.shape[:2] == (height, width)
            else cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        )
        return canvas

    def boxes_to_original(self, boxes_xyxy: Floats) -> Floats:
        """Move boxes (N, 4) from input pixels to original pixels, clipped to the picture."""
        height, width = self.size_hw
        left, top = self.left_top
        moved = (boxes_xyxy - np.array([left, top, left, top], dtype=np.float32)) / np.float32(self.gain)
        edges = np.array([width, height, width, height], dtype=np.float32)
        return np.asarray(np.clip(moved, 0, edges), dtype=np.float32)
