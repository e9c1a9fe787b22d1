"""Arrays and tensors -> uint8 RGB, and the limit on the pixels of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from ..arrays import Floats, Picture
from ..errors import InvalidImageError

MAX_PIXELS = 120_000_000
"""More pixels are refused before anything is decoded. This lets in what phones and medium-format cameras make
(108 megapixels) and keeps one copy of the picture at 360 MB."""
DIM = 0.25
"""Share of what a format allows that a picture's highest value must reach, not to be scaled to its own range."""
_COLOURS = (1, 3, 4)
"""Grey, RGB, RGBA."""
_THE_PICTURE = "The picture"
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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


def eight_bits(values: npt.NDArray[Any], name: str, *, bits: int | None = None) -> tuple[npt.NDArray[np.uint8], bool]:
    """Numbers of a file as 8 bits, scaled to their own range where that is none of 8 bits and far from what fits.

    Integers are out of what their bits hold, 32 bits out of 65535 where none is greater; floating-point numbers are out
    of 1. Where no value reaches a quarter of that, or one is greater, the highest becomes 255.

    Args:
        bits: how many of an integer's bits the file has; None: 16 in any type, as Pillow has them.

    Returns:
        uint8, and whether the picture was scaled to its own range.
    """
    if values.dtype == np.uint8 and bits == 8:
        return values, False
    lowest, highest = values.min(), values.max()
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise InvalidImageError(
            f"{name} holds NaN or infinity; replace them, as numpy.nan_to_num does, and save it again."
        )
    if lowest < 0:
        raise InvalidImageError(
            f"{name} has values from {lowest:g} to {highest:g}, and none below 0 is expected; shift them to begin at 0 "
            "and save it again."
        )
    if np.issubdtype(values.dtype, np.floating):
        limit = 1
    elif bits is None or (bits > 16 and highest <= 65535):
        limit = 65535
    else:
        limit = 2 ** (bits - (values.dtype.kind == "i")) - 1
    own = bool(highest > limit or 0 < highest < DIM * limit)
    return scaled(values, float(highest) if own else limit), own


def scaled(values: npt.NDArray[Any], highest: float) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to `highest` as 0 to 255."""
    numbers: npt.NDArray[np.float32] = values.astype(np.float32) * np.float32(255 / highest)
    return np.rint(numbers).astype(np.uint8)


def turned(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture upright, by the number of EXIF's tag Orientation."""
    return picture.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else picture


def on_white(rgba: Image.Image) -> Image.Image:
    """RGB, white where nothing is to be seen."""
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def seen_on_white(
    picture: Picture, alpha: npt.NDArray[Any], *, limit: float, is_associated: bool = False
) -> npt.NDArray[np.uint8]:
    """A picture of more than 8 bits on white, by its opacity of 0 to `limit`.

    Opacity that nowhere reaches a quarter is none, but one more band of a camera or a satellite.

    Args:
        is_associated: the colours are multiplied with the opacity already.
    """
    if not alpha.max() >= DIM * limit:
        return picture
    opacity = np.clip(alpha / limit, 0, 1).astype(np.float32)[:, :, None]
    colours = picture if is_associated else picture * opacity
    seen: Floats = np.minimum(colours + 255 * (1 - opacity), 255)
    return np.rint(seen).astype(np.uint8)


def by_opencv(file: IO[bytes]) -> npt.NDArray[Any] | None:
    """All bits of a file of grey (H, W), RGB or RGBA, not turned; None if OpenCV cannot read it. Prints nothing."""
    file.seek(0)
    told = cv2.utils.logging
    before = told.setLogLevel(told.LOG_LEVEL_SILENT)
    try:
        values = cv2.imdecode(np.frombuffer(file.read(), dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        told.setLogLevel(before)
    if values is None or values.ndim == 2:
        return values
    return values[:, :, [2, 1, 0, 3][: values.shape[2]]]


def check_size(height: int, width: int, name: str, most: int = MAX_PIXELS) -> None:
    """Refuse a picture without pixels, and one with more than `most`."""
    if height < 1 or width < 1:
        raise InvalidImageError(f"{name} has no pixels: it is {width} x {height}.")
    if height * width > most:
        raise InvalidImageError(too_large(name, most, f": it is {width} x {height}"))


def too_large(name: str, most: int = MAX_PIXELS, size: str = "") -> str:
    """The sentence for a picture with more than `most` pixels."""
    return f"{name} has more than {most / 1e6:g} megapixels{size}. Make it smaller and try again."
