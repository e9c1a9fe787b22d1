"""Picture files, by path, as bytes or open, and Pillow images -> upright uint8 RGB."""

from __future__ import annotations

import importlib.util
import io
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, UnidentifiedImageError, features

from ..errors import InvalidImageError
from ..warning_filters import ignored_warnings
from .tiff import from_tiff, is_tiff
from .values import (
    DIM,
    MAX_PIXELS,
    ReadImage,
    by_opencv,
    check_size,
    eight_bits,
    on_white,
    seen_on_white,
    too_large,
    turned,
)

FORMATS = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What is read from files: AVIF where Pillow has it, HEIF where the package pillow-heif is. Others of Pillow's are left
out on purpose: some start another program to decode (EPS) or take almost any bytes for a picture."""
_PHONES, _OTHERS = (".avif", ".heic", ".heif", ".jpeg", ".jpg"), (".bmp", ".gif", ".jfif", ".jp2", ".png")
SUFFIXES = frozenset((*_PHONES, *_OTHERS, ".ppm", ".tif", ".tiff", ".webp"))
"""What counts as a photograph in a folder. A file that is named itself is tried whatever its name."""

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_ORIENTATION_TAG = 0x0112
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


def from_path(path: Path, *, max_pixels: int = MAX_PIXELS) -> ReadImage:
    """The picture in a file of at most so many pixels, as `read_image` reads it."""
    try:
        if path.is_dir():
            raise InvalidImageError(f"{path} is a folder; give the path of one picture.")
        if not path.exists():
            raise InvalidImageError(f"There is no file {path}.")
        if not path.is_file():
            raise InvalidImageError(f"{path} is not an ordinary file; give the path of one picture.")
        if path.stat().st_size == 0:
            raise InvalidImageError(f"{path.name} is empty: it has zero bytes.")
        with path.open("rb") as file:
            return _opened(file, name=path.name, max_pixels=max_pixels)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidImageError):
            raise
        reason = error.strerror if isinstance(error, OSError) else "this cannot be a path"
        raise InvalidImageError(f"{path} cannot be opened: {reason}.") from error


def from_bytes(content: bytes, *, name: str = "The picture") -> ReadImage:
    """The picture in the bytes of a file."""
    if not content:
        raise InvalidImageError(f"{name} is empty: it has zero bytes.")
    return _opened(io.BytesIO(content), name=name)


def from_file(file: IO[bytes]) -> ReadImage:
    """The picture in an open file, from where it stands."""
    given: object = getattr(file, "name", None)
    name = Path(given).name if isinstance(given, str) else "The picture"
    try:
        content: object = file.read()
    except (OSError, ValueError) as error:  # closed, or opened for writing
        raise InvalidImageError(f"{name} cannot be read: {error}.") from error
    if not isinstance(content, bytes):
        raise InvalidImageError(f'{name} is open as text; open it in binary mode, "rb".')
    if not content:
        raise InvalidImageError(f"{name} is empty, or was read to its end before: file.seek(0) goes back.")
    return from_bytes(content, name=name)


def _opened(file: IO[bytes], *, name: str, max_pixels: int = MAX_PIXELS) -> ReadImage:
    """The picture in a file that can be read again from its beginning."""
    brand = _brand(file)
    if brand in _HEIC_BRANDS and importlib.util.find_spec("pillow_heif") is not None:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    with ignored_warnings(module=r"PIL\."):  # of large pictures, checked here, and of odd notes in files
        Image.init()
        try:
            if is_tiff(file) and (of_tiff := from_tiff(file, name, max_pixels=max_pixels)) is not None:
                return of_tiff
            file.seek(0)
            with Image.open(file, formats=[each for each in FORMATS if each in Image.OPEN]) as opened:
                found = from_pillow(opened, name=name, max_pixels=max_pixels)
                # Pillow keeps the upper 8 bits of 16 in colour: of dim pictures there is more to be had.
                colours = np.asarray(opened)[..., :3] if opened.mode == "RGBA" else found.picture
                deep = not found.scaled_to_own_range and colours.max(initial=0) < 255 * DIM
                return (_deep_colours(file, opened, name) or found) if deep else found
        except InvalidImageError:
            raise
        except (UnidentifiedImageError, ImportError) as error:
            # Once imported, Ultralytics has an `Image.open` of its own that answers a file which is no picture by
            # looking for one more package.
            raise InvalidImageError(_unknown(file, name, brand)) from error
        except Image.DecompressionBombError as error:
            raise InvalidImageError(too_large(name, max_pixels)) from error
        except _DECODING_ERRORS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise InvalidImageError(f"{name} cannot be opened: {error.strerror}.") from error
            raise InvalidImageError(_damaged(name)) from error


def _brand(file: IO[bytes]) -> bytes:
    """What kind of HEIF container a file says it is; nothing for any other file."""
    file.seek(0)
    head = file.read(12)
    file.seek(0)
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _unknown(file: IO[bytes], name: str, brand: bytes) -> str:
    """Why a file that no decoder knows cannot be read; phones' HEIC photos are named, for people take them for JPEG."""
    if brand in _HEIC_BRANDS and "HEIF" not in Image.OPEN:
        return f"{name} is a HEIC photo, which takes one more package: pip install pillow-heif. Or save it as JPEG."
    if brand in _AVIF_BRANDS and not features.check("avif"):
        return f"{name} is an AVIF picture, which takes Pillow from 11.3 on: pip install -U pillow. Or save it as JPEG."
    if brand in _HEIC_BRANDS | _AVIF_BRANDS:
        return _damaged(name)
    return (
        f"{name} is not a picture that can be read, or it is damaged. "
        "Use JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP."
    )


def _deep_colours(file: IO[bytes], opened: Image.Image, name: str) -> ReadImage | None:
    """A dim colour picture with all of its 16 bits; None for any other."""
    if opened.mode not in ("RGB", "RGBA") or opened.format not in ("JPEG2000", "PNG", "PPM"):
        return None
    values = by_opencv(file)
    bands = len(opened.getbands())
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[2] != bands:
        return None
    picture, is_scaled = eight_bits(values[:, :, :3], name, bits=16)
    if bands == 4:
        picture = seen_on_white(picture, values[:, :, 3], limit=65535)
    upright = turned(Image.fromarray(picture), _orientation(opened))
    return ReadImage(np.array(upright), scaled_to_own_range=is_scaled)


def from_pillow(image: Image.Image, *, name: str, max_pixels: int = MAX_PIXELS) -> ReadImage:
    """A Pillow image, as `read_image` reads it."""
    check_size(image.height, image.width, name, max_pixels)
    with ignored_warnings(module=r"PIL\."):
        try:
            image.load()
            orientation = _orientation(image)  # after loading, for TIFF is turned by Pillow itself
        except _DECODING_ERRORS as error:
            raise InvalidImageError(_damaged(name)) from error
        if image.mode == "F" or image.mode.startswith("I"):
            grey, dim = eight_bits(np.asarray(image), name)
            rgb = Image.fromarray(grey).convert("RGB")
        else:
            rgb, dim = _to_rgb(image, name), False
    return ReadImage(np.array(turned(rgb, orientation)), scaled_to_own_range=dim)


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    try:
        return on_white(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")
    except ValueError as error:
        raise InvalidImageError(f"{name} has {image.mode} colours, which cannot be read; save it as RGB.") from error


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except _DECODING_ERRORS:
        return 1  # damaged camera notes are no reason to refuse the picture


def _damaged(name: str) -> str:
    return f"{name} is damaged or incomplete and cannot be decoded. Download or save it again."
