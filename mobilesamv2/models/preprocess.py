"""A picture as the image encoder's input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..geometry import ResizeLongestSide
from ..images import resize_longest_side
from ..types import Picture

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
"""ImageNet's mean and standard deviation per colour, for values from 0 to 255, as SAM has them."""


def to_input(
    picture: Picture,
    frame: ResizeLongestSide,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Resize, normalise and pad a picture.

    Padding comes after normalising, so it has the mean colour and not black, as in SAM.

    Args:
        picture: uint8 (H, W, 3).
        frame: the frame of this picture.
        device: where the tensor is made; the picture goes there as 8-bit values.
        dtype: of the result; the arithmetic is done in float32.

    Returns:
        (1, 3, S, S) with S the frame's input side.

    Raises:
        ValueError: if the frame is of a picture of another size.
    """
    height, width = frame.resized_hw
    resized = torch.from_numpy(resize_longest_side(picture, frame)).to(device)
    mean, std = (
        torch.tensor(of_colour, dtype=torch.float32, device=resized.device)[:, None, None]
        for of_colour in (PIXEL_MEAN, PIXEL_STD)
    )
    normalised = (resized.permute(2, 0, 1).float() - mean) / std  # (3, H', W')
    padded = F.pad(normalised, (0, frame.input_side - width, 0, frame.input_side - height))
    return padded[None].to(dtype).contiguous()
