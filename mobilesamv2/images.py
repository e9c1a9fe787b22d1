"""Any picture a person may bring -> one uint8 RGB array, or one sentence that says why not."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from .arrays import Picture
from .errors import InvalidImageError
from .geometry import ResizeLongestSide
from .warning_filters import ignored_warnings

_DIM = 0.25
"""Share of what a format allows that a picture's highest value must reach, not to be scaled to its own range."""
MAX_PIXELS = 120_000_000
"""More pixels are refused before anything is decoded. This lets in what phones and medium-format cameras make
(108 megapixels) and keeps one copy of the picture at 360 MB."""
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What is read from files. Others of Pillow's are left out on purpose: some start another program to decode
(EPS) or take almost any bytes for a picture."""
SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
"""What counts as a photograph in a folder. A file that is named itself is tried whatever its name."""

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow's decoders are known to raise on damaged files.
_DECODING_ERRORS = (
    AssertionError,
    AttributeError,
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


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


def load_image(image: ImageInput) -> Picture:
    """The picture of `read_image`."""
    return read_image(image).picture


def read_image(image: ImageInput) -> ReadImage:
    """Read a picture as people see it: upright, on white where it is transparent, in 8-bit RGB.

    The rotation that a camera noted in EXIF is applied, also to a Pillow image that still has the note: who turns one
    themselves takes the note away, as `ImageOps.exif_transpose` does. Arrays are taken as they are. Of an animation
    the first frame is taken (of a Pillow image, the frame it stands at). 16 bits are scaled to 8, floating-point grey
    is taken as 0 to 1; where no value reaches a quarter of that, the highest becomes 255.

    Args:
        image: a path, a Pillow image, or a uint8 array of shape (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA; or what
            this function returned before.

    Returns:
        uint8 (H, W, 3), contiguous. An array that is so already is returned itself: treat pictures as read-only.

    Raises:
        InvalidImageError: if it is not a picture, is damaged, empty, of an unknown kind, or has more than
            `MAX_PIXELS` pixels. The sentence names the file.
    """
    if isinstance(image, ReadImage):
        return image
    if isinstance(image, (str, Path)):
        return _from_file(Path(image))
    if isinstance(image, Image.Image):
        return _from_pillow(image, name="The picture")
    if isinstance(image, np.ndarray):
        return ReadImage(_from_array(image))
    raise InvalidImageError(
        f"A picture must be a path, a Pillow image or a uint8 array; got {type(image).__name__}."
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


ImageInput = str | Path | Image.Image | npt.NDArray[np.uint8] | ReadImage
"""A path, a Pillow image, uint8 RGB (H, W, 3), or what `read_image` returned."""


def _from_file(path: Path) -> ReadImage:
    try:
        if path.is_dir():
            raise InvalidImageError(f"{path} is a folder; give the path of one picture.")
        if not path.exists():
            raise InvalidImageError(f"There is no file {path}.")
        if not path.is_file():
            raise InvalidImageError(f"{path} is not an ordinary file; give the path of one picture.")
        if path.stat().st_size == 0:
            raise InvalidImageError(f"{path.name} is empty: it has zero bytes.")
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidImageError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "this cannot be a path"
        raise InvalidImageError(f"{path} cannot be opened: {reason}.") from error
    with ignored_warnings(module=r"PIL\."):  # of large pictures, checked here, and of odd notes in files
        Image.init()
        try:
            with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
                found = _from_pillow(opened, name=path.name)
                # Pillow keeps the upper 8 bits of 16 in colour: of dim pictures there is more to be had.
                deep = not found.scaled_to_own_range and found.picture.max(initial=0) < 255 * _DIM
                return (_deep_colours(path, opened) or found) if deep else found
        except InvalidImageError:
            raise
        except (UnidentifiedImageError, ImportError) as error:
            # Once imported, Ultralytics has an `Image.open` of its own that answers a file which is no picture by
            # looking for one more package.
            raise InvalidImageError(_unknown(path)) from error
        except Image.DecompressionBombError as error:
            raise InvalidImageError(_too_large(path.name)) from error
        except _DECODING_ERRORS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise InvalidImageError(f"{path.name} cannot be opened: {error.strerror}.") from error
            raise InvalidImageError(_damaged(path.name)) from error


def _unknown(path: Path) -> str:
    """Why a file that no decoder knows cannot be read; phones' HEIC photos are named, for people take them for JPEG."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return f"{path.name} is a HEIC photo, which cannot be read here. Export or share it as JPEG and try again."
    if bands := _tiff_bands(path):
        return f"{path.name} has {bands} bands that are no colours; save the three to be seen as RGB and try again."
    return (
        f"{path.name} is not a picture that can be read, or it is damaged. "
        "Use JPEG, PNG, WebP, AVIF, GIF, TIFF or BMP."
    )


def _tiff_bands(path: Path) -> int:
    """How many bands a TIFF has that Pillow does not take for colours; 0 for any other file."""
    try:
        with path.open("rb") as file:
            directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
        bands = int(directory.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    except (*_DECODING_ERRORS, SyntaxError):
        return 0
    return bands if bands > 1 else 0


def _deep_colours(path: Path, opened: Image.Image) -> ReadImage | None:
    """A dim colour picture of 16 bits, scaled to its own range; None for any other."""
    if opened.mode != "RGB" or opened.format not in ("PNG", "TIFF"):
        return None
    values = cv2.imread(os.fspath(path), cv2.IMREAD_UNCHANGED)
    if (
        values is None
        or values.dtype != np.uint16
        or values.ndim != 3
        or values.shape[2] != 3
        or not values.any()
    ):
        return None
    rgb = Image.fromarray(_scaled(values[:, :, ::-1], float(values.max())))
    # TIFF is turned by Pillow itself.
    orientation = (
        _orientation(opened)
        if opened.format == "PNG"
        else int(getattr(opened, "tag_v2", {}).get(_ORIENTATION_TAG, 1))
    )
    return ReadImage(np.array(_turned(rgb, orientation)), scaled_to_own_range=True)


def _turned(rgb: Image.Image, orientation: int) -> Image.Image:
    return rgb.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else rgb


def _from_pillow(image: Image.Image, *, name: str) -> ReadImage:
    _check_size(image.height, image.width, name)
    with ignored_warnings(module=r"PIL\."):
        try:
            image.load()
            orientation = _orientation(image)  # after loading, for TIFF is turned by Pillow itself
        except _DECODING_ERRORS as error:
            raise InvalidImageError(_damaged(name)) from error
        if image.mode == "F" or image.mode.startswith("I"):
            grey, dim = _eight_bits(np.asarray(image), name)
            rgb = Image.fromarray(grey).convert("RGB")
        else:
            rgb, dim = _to_rgb(image, name), False
    return ReadImage(np.array(_turned(rgb, orientation)), scaled_to_own_range=dim)


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    try:
        return _on_white(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")
    except ValueError as error:
        raise InvalidImageError(
            f"{name} has {image.mode} colours, which cannot be read; save it as RGB."
        ) from error


def _on_white(rgba: Image.Image) -> Image.Image:
    white = Image.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba.getchannel("A"))
    return white


def _eight_bits(values: npt.NDArray[Any], name: str) -> tuple[npt.NDArray[np.uint8], bool]:
    """Grey of more than 8 bits: integers are out of 65535, floating-point numbers out of 1.

    Returns:
        uint8, and whether the picture was scaled to its own range.
    """
    lowest, highest = values.min(), values.max()
    limit = 1 if np.issubdtype(values.dtype, np.floating) else 65535
    if not (lowest >= 0 and highest <= limit):  # NaN is refused too
        raise InvalidImageError(
            f"{name} has grey values from {lowest} to {highest}; expected 0 to {limit}. "
            "Convert it to 8 bits first."
        )
    dim = bool(0 < highest < _DIM * limit)
    return _scaled(values, float(highest) if dim else limit), dim


def _scaled(values: npt.NDArray[Any], highest: float) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to `highest` as 0 to 255."""
    scaled: npt.NDArray[np.float32] = values.astype(np.float32) * np.float32(255 / highest)
    return np.rint(scaled).astype(np.uint8)


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _DECODING_ERRORS:
        return 1  # damaged camera notes are no reason to refuse the picture


def _from_array(array: npt.NDArray[Any]) -> Picture:
    if array.dtype != np.uint8:
        raise InvalidImageError(
            f"A picture array must be uint8 with values 0 to 255; got {array.dtype}. "
            "Scale it to 0-255 and convert it with .astype(numpy.uint8)."
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InvalidImageError(
            f"A picture array must have the shape (H, W), (H, W, 3) or (H, W, 4); got {array.shape}."
        )
    _check_size(array.shape[0], array.shape[1], "The picture")
    if array.ndim == 2:
        return np.repeat(array[:, :, None], 3, axis=2)
    if array.shape[2] == 4:
        return np.array(_on_white(Image.fromarray(np.ascontiguousarray(array))))
    return np.ascontiguousarray(array)


def _check_size(height: int, width: int, name: str) -> None:
    if height < 1 or width < 1:
        raise InvalidImageError(f"{name} has no pixels: it is {width} x {height}.")
    if height * width > MAX_PIXELS:
        raise InvalidImageError(_too_large(name, f": it is {width} x {height}"))


def _too_large(name: str, size: str = "") -> str:
    return f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels{size}. Make it smaller and try again."


def _damaged(name: str) -> str:
    return f"{name} is damaged or incomplete and cannot be decoded. Download or save it again."
