"""Arrays and tensors -> uint8 RGB, and the limit on the pixels of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from ..arrays import Picture
from ..errors import InvalidImageError

MAX_PIXELS = 120_000_000
"""More pixels are refused before anything is decoded. This lets in what phones and medium-format cameras make
(108 megapixels) and keeps one copy of the picture at 360 MB."""
DIM = 0.25
"""Share of what a format allows that a picture's highest value must reach, not to be scaled to its own range."""
_COLOURS = (1, 3, 4)
"""Grey, RGB, RGBA."""
_THE_PICTURE = "The picture"


@dataclass(frozen=True, eq=False)
class ReadImage:
    """A picture that was read.

    Args:
        picture: uint8 RGB (H, W, 3).
        scaled_to_own_range: whether its values were far below what its format allows, as 12 bits in a file of 16 are,
            and were scaled so that the highest is 255.
    """

    picture: Picture
    scaled_to_own_range: bool = False


def from_array(array: npt.NDArray[Any]) -> Picture:
    """A picture of an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), as `read_image` takes it."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in _COLOURS):
        raise InvalidImageError(
            f"A picture array must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); got {array.shape}."
        )
    check_size(array.shape[0], array.shape[1], _THE_PICTURE)
    array = _bytes_of(array)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.shape[2] == 1:
        return np.repeat(array, 3, axis=2)
    if array.shape[2] == 4:
        return np.array(on_white(Image.fromarray(np.ascontiguousarray(array))))
    return np.ascontiguousarray(array)


def from_tensor(tensor: Tensor) -> Picture:
    """A picture of a tensor (H, W), (C, H, W) or, where the first axis cannot be colours, (H, W, C)."""
    shape = tuple(tensor.shape)
    if len(shape) == 4:
        raise InvalidImageError(f"A picture is one tensor (3, H, W); got a batch of {shape}: give tensor[0].")
    if len(shape) == 3 and shape[0] in _COLOURS:
        tensor = tensor.permute(1, 2, 0)
    elif not (len(shape) == 2 or (len(shape) == 3 and shape[2] in _COLOURS)):
        raise InvalidImageError(
            f"A picture tensor must have the shape (3, H, W) or (H, W, 3), with 1 or 4 for grey or RGBA; got {shape}."
        )
    if tensor.is_floating_point():
        tensor = tensor.float()  # numpy knows no bfloat16
    try:
        array = tensor.detach().cpu().numpy()
    except (TypeError, RuntimeError) as error:
        raise InvalidImageError(f"A picture tensor must hold plain numbers; got {tensor.layout}.") from error
    return from_array(array)


def _bytes_of(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """uint8 as it is; floating-point numbers from 0 to 1 as 0 to 255."""
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise InvalidImageError(
            f"A picture must be uint8 from 0 to 255, or floating-point from 0 to 1; got {array.dtype}. "
            "Scale it to 0-255 and convert it with .astype(numpy.uint8)."
        )
    lowest, highest = array.min(), array.max()
    if not (lowest >= 0 and highest <= 1):  # NaN is refused too
        raise InvalidImageError(
            f"A floating-point picture must lie within 0 to 1; got {lowest:g} to {highest:g}. Divide one of 0 to 255 "
            "by 255; undo what normalised it for another network."
        )
    return scaled(array, 1)


def eight_bits(values: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[np.uint8], bool]:
    """Grey of more than 8 bits: integers are out of 65535, floating-point numbers out of 1.

    Returns:
        uint8, and whether the picture was scaled to its own range.
    """
    lowest, highest = values.min(), values.max()
    limit = 1 if np.issubdtype(values.dtype, np.floating) else 65535
    if not (lowest >= 0 and highest <= limit):  # NaN is refused too
        raise InvalidImageError(
            f"{name} has grey values from {lowest} to {highest}; expected 0 to {limit}. Convert it to 8 bits first."
        )
    dim = bool(0 < highest < DIM * limit)
    return scaled(values, float(highest) if dim else limit), dim


def scaled(values: npt.NDArray[Any], highest: float) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to `highest` as 0 to 255."""
    numbers: npt.NDArray[np.float32] = values.astype(np.float32) * np.float32(255 / highest)
    return np.rint(numbers).astype(np.uint8)


def on_white(rgba: Image.Image) -> Image.Image:
    """RGB, white where nothing is to be seen."""
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def check_size(height: int, width: int, name: str, most: int = MAX_PIXELS) -> None:
    """Refuse a picture without pixels, and one with more than `most`."""
    if height < 1 or width < 1:
        raise InvalidImageError(f"{name} has no pixels: it is {width} x {height}.")
    if height * width > most:
        raise InvalidImageError(too_large(name, most, f": it is {width} x {height}"))


def too_large(name: str, most: int = MAX_PIXELS, size: str = "") -> str:
    """The sentence for a picture with more than `most` pixels."""
    return f"{name} has more than {most / 1e6:g} megapixels{size}. Make it smaller and try again."
