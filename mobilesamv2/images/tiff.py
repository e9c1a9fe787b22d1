"""TIFF files of more than 8 bits, of floating-point numbers, or of other bands than RGB.

Pillow reads these in part, and some of them wrongly (only the first band, or a fourth one as opacity). Every other TIFF
is left to it.
"""

from __future__ import annotations

import logging
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import InvalidImageError
from .values import ReadImage, by_opencv, check_size, eight_bits, seen_on_white, turned

_NOWHERE = logging.NullHandler()
"""Where nobody set up logging, what tifffile notes would go to stderr."""
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BYTES_A_PIXEL = 8
"""Of the largest picture: RGBA of 16 bits. Of more bands or wider numbers fewer pixels are read."""
_NO_ALPHA, _ASSOCIATED, _ALPHA = range(3)
"""Values of the tag ExtraSamples: a band that is no opacity, opacity that the colours are multiplied with, opacity."""


def is_tiff(file: IO[bytes]) -> bool:
    """Whether a file begins as a TIFF does."""
    file.seek(0)
    head = file.read(4)
    file.seek(0)
    return head in _MAGIC


def from_tiff(file: IO[bytes], name: str, *, max_pixels: int) -> ReadImage | None:
    """The first picture of a TIFF, upright; None for one that Pillow reads rightly.

    Of two bands the first is read, of more than three the first three. A band that is marked as opacity is followed,
    unless nothing reaches a quarter of it: then it is one more band of a camera or a satellite.

    Raises:
        InvalidImageError: if it is too large, or of a compression that takes another package.
    """
    import tifffile

    logging.getLogger("tifffile").addHandler(_NOWHERE)
    with tifffile.TiffFile(file) as opened:
        page = opened.pages.first
        bands, kind = page.samplesperpixel, tifffile.PHOTOMETRIC
        if page.photometric not in (kind.MINISWHITE, kind.MINISBLACK, kind.RGB) or page.dtype is None:
            return None
        usual = 3 if page.photometric == kind.RGB else 1
        if page.bitspersample <= 8 and page.dtype.kind in "ub" and bands == usual:
            return None
        if page.imagedepth > 1:
            raise InvalidImageError(f"{name} is a volume of {page.imagedepth} slices; save one of them and try again.")
        check_size(page.imagelength, page.imagewidth, name, max_pixels)
        if page.nbytes > max_pixels * _BYTES_A_PIXEL:
            raise InvalidImageError(
                f"{name} holds {page.nbytes / 1e9:.1f} GB of numbers; save its first three bands as 8 bits."
            )
        is_planar = bands > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        values = _numbers(page, file, name, is_planar=is_planar)
        if values is None:
            return None
        extra, tag = page.extrasamples, page.tags.get("Orientation")
        orientation = 1 if tag is None else int(tag.value)
        is_white_zero, bits = page.photometric == kind.MINISWHITE, page.bitspersample
    if is_planar:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 2:
        values = values[:, :, None]
    colours = values[:, :, :3] if bands > 2 else values[:, :, :1]
    picture, is_scaled = eight_bits(colours, name, bits=bits)
    if is_white_zero:
        picture = 255 - picture
    picture = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture
    if bands == usual + 1 == 4 and not extra:
        extra = (_ALPHA,)  # older programs write RGBA without saying so
    if len(extra) == bands - usual and extra and extra[0] != _NO_ALPHA:
        alpha = values[:, :, usual]
        limit = 1 if alpha.dtype.kind == "f" else 2**bits - 1
        picture = seen_on_white(picture, alpha, limit=limit, is_associated=extra[0] == _ASSOCIATED)
    upright = turned(Image.fromarray(np.ascontiguousarray(picture)), orientation)
    return ReadImage(np.array(upright), scaled_to_own_range=is_scaled)


def _numbers(page: Any, file: IO[bytes], name: str, *, is_planar: bool) -> npt.NDArray[Any] | None:
    """The numbers of a page: (H, W), (H, W, bands), or (bands, H, W) where they are planar; None if Pillow has them."""
    try:
        numbers: npt.NDArray[Any] = page.asarray()
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
        is_rgb = page.photometric == 2
        if page.bitspersample <= 8 and is_rgb and page.samplesperpixel == 4:
            return None
        # OpenCV knows the common compressions, but mixes planes up and multiplies 8 bits with their opacity.
        if not is_planar and page.bitspersample > 8 and page.samplesperpixel in (1, 3, 4):
            known = by_opencv(file)
            if known is not None and known.dtype == page.dtype:
                return known
        raise InvalidImageError(
            f"{name} is compressed in a way that takes one more package: pip install imagecodecs. "
            "Or save it without compression."
        ) from error
    return numbers
