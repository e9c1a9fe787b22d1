"""Reads a picture in any form into the uint8 RGB array that everything else works on."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from ..arrays import Picture
from ..errors import InvalidImageError
from ..geometry import ResizeLongestSide
from .files import from_bytes, from_file, from_path, from_pillow
from .values import ReadImage, from_array, from_tensor

ImageInput: TypeAlias = (
    str
    | Path
    | bytes
    | bytearray
    | memoryview
    | IO[bytes]
    | Image.Image
    | npt.NDArray[np.uint8]
    | npt.NDArray[np.floating]
    | Tensor
    | ReadImage
)
"""What `read_image` takes."""


def load_image(image: ImageInput) -> Picture:
    """The picture of `read_image`."""
    return read_image(image).picture


def read_image(image: ImageInput) -> ReadImage:
    """Read a picture as people see it: upright, on white where it is transparent, in 8-bit RGB.

    The rotation that a camera noted in EXIF is applied, also to a Pillow image that still has the note: who turns one
    themselves takes the note away, as `ImageOps.exif_transpose` does. Arrays and tensors are taken as they are. Of an
    animation the first frame is taken (of a Pillow image, the frame it stands at). Whole numbers
    of a file are taken as shares of what their bits hold, floating-point ones as 0 to 1; where no value of more than 8
    bits reaches a quarter of that, or a floating-point one is above 1, the highest becomes 255. Of a TIFF of many bands
    the first three are read.

    Args:
        image: the path of a file, its bytes, or a file that is open in binary mode, which is read from where it stands;
            a Pillow image; an array or a tensor, or what this function returned before. Numbers are uint8 from 0 to
            255, or floating-point from 0 to 1. An array is grey (H, W) or has its 1, 3 or 4 (RGBA) colours last, as
            Pillow and OpenCV have them. A tensor has them first, as torchvision has them; where the first axis cannot
            be colours, the last one is taken for them. It may be on any device.

    Returns:
        uint8 (H, W, 3), contiguous. An array that is so already is returned itself: treat pictures as read-only.

    Raises:
        InvalidImageError: if it is not a picture, is damaged, empty, of an unknown kind, or has more than
            `MAX_PIXELS` pixels. The sentence names the file.
    """
    if isinstance(image, ReadImage):
        return image
    if isinstance(image, (str, Path)):
        return from_path(Path(image))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return from_bytes(bytes(image))
    if isinstance(image, Image.Image):
        return from_pillow(image, name="The picture")
    if isinstance(image, np.ndarray):
        return ReadImage(from_array(image))
    if isinstance(image, Tensor):
        return ReadImage(from_tensor(image))
    if hasattr(image, "read"):
        return from_file(image)
    raise InvalidImageError(
        f"A picture must be a path, bytes, a file, a Pillow image, an array or a tensor; got {type(image).__name__}."
    )


def resize_longest_side(picture: Picture, frame: ResizeLongestSide) -> Picture:
    """Scale a picture to `frame.resized_hw`: bilinear with antialiasing, rounded to 8 bits, as SAM does.

    Raises:
        ValueError: if the frame is of a picture of another size.
    """
    if picture.shape[:2] != frame.size_hw:
        raise ValueError(f"The frame is for a picture of {frame.size_hw}; this one has {picture.shape[:2]}.")
    height, width = frame.resized_hw
    return np.array(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR))
