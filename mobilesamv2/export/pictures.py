"""Masks as pictures for other programs: label maps, black and white masks, cut-outs.

Each is made of one mask inside its box, so that hundreds of masks of many megapixels need little memory.
"""

from __future__ import annotations

import io
import math

import cv2
import numpy as np
from PIL import Image

from ..types import Masks, Picture

_QUICK = 1
"""Compression of PNGs: masks are nearly as small as at the usual level, and written several times as fast."""

_LABELS = (
    *(cv2.IMWRITE_PNG_COMPRESSION, _QUICK, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    # Each row less the one above, which leaves zeros nearly everywhere. Older versions of OpenCV try all ways instead.
    *((cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP) if hasattr(cv2, "IMWRITE_PNG_FILTER") else ()),
)
"""How label maps are packed: a third of the time that `_QUICK` alone takes, and half its size."""

LARGE_PIXELS = 16_000_000
"""From more on, packing a photograph as PNG takes longer than finding its masks."""


def label_map_png(masks: Masks) -> bytes:
    """The file of the label map, a grey picture whose values are the labels: 8 bits, or 16 for more than 255 masks.

    Raises:
        ValueError: for more masks than 16 bits can number.
    """
    if len(masks) > np.iinfo(np.uint16).max:
        raise ValueError(f"A label map of 16 bits numbers at most 65,535 masks; there are {len(masks):,}.")
    dtype = np.uint8 if len(masks) <= np.iinfo(np.uint8).max else np.uint16
    _, packed = cv2.imencode(".png", masks.label_map(dtype), _LABELS)
    return packed.tobytes()


def mask_image(masks: Masks, index: int) -> Image.Image:
    """Mask `index` in black and white, one bit for each pixel of the picture: white is the mask."""
    height, width = masks.size_hw
    image = Image.new("1", (width, height))
    x0, y0, x1, y1 = (int(edge) for edge in masks.boxes_xyxy[index])
    if x1 > x0 and y1 > y0:
        packed = np.packbits(masks.window(index), axis=1)
        image.paste(Image.frombytes("1", (x1 - x0, y1 - y0), packed.tobytes()), (x0, y0))
    return image


def uncovered_image(masks: Masks) -> Image.Image:
    """What no mask covers in white, the rest in black, one bit for each pixel of the picture."""
    return Image.fromarray(masks.uncovered())


def cutout_image(picture: Picture, masks: Masks, index: int) -> Image.Image:
    """What mask `index` covers of the picture, cut to its box, transparent elsewhere: RGBA.

    Transparent pixels are black, so nothing of the rest of the picture travels along. A mask without a pixel is a
    single transparent one, since no picture can have none.

    Raises:
        ValueError: if the masks are of a picture of another size.
    """
    if picture.shape[:2] != tuple(masks.size_hw):
        raise ValueError(f"The masks are of a picture of {masks.size_hw}; this one has {picture.shape[:2]}.")
    x0, y0, x1, y1 = (int(edge) for edge in masks.boxes_xyxy[index])
    if x1 <= x0 or y1 <= y0:
        return Image.new("RGBA", (1, 1))
    alpha = Image.fromarray(masks.window(index).astype(np.uint8, order="C") * np.uint8(255))
    cut = Image.new("RGBA", alpha.size)
    cut.paste(Image.fromarray(picture[y0:y1, x0:x1]), mask=alpha)
    cut.putalpha(alpha)
    return cut


def for_people(picture: Picture) -> Picture:
    """A picture to draw on to look at and not to measure: a large one is made smaller, to `LARGE_PIXELS` at most.

    It shrinks by a whole number, which takes a fifth of the time that any other size does.
    """
    height, width = picture.shape[:2]
    factor = math.ceil(math.sqrt(height * width / LARGE_PIXELS))
    if factor <= 1:
        return picture
    size = max(1, width // factor), max(1, height // factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def photo_file(image: Image.Image, *, is_large: bool) -> tuple[str, bytes]:
    """The suffix and the bytes of a photograph's file: PNG, or JPEG, which takes a tenth of the time."""
    if not is_large:
        return ".png", png_bytes(image)
    packed = io.BytesIO()
    image.save(packed, "jpeg", quality=92)
    return ".jpg", packed.getvalue()


def png_bytes(image: Image.Image) -> bytes:
    """The file of a picture, packed lightly."""
    packed = io.BytesIO()
    image.save(packed, "png", compress_level=_QUICK)
    return packed.getvalue()


def jpeg_bytes(image: Image.Image) -> bytes:
    """The file of a photograph that is looked at and not measured: a tenth of the bytes."""
    packed = io.BytesIO()
    image.save(packed, "jpeg", quality=90)
    return packed.getvalue()
