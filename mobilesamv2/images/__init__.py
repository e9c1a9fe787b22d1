"""Reads pictures: any file, array or tensor -> one uint8 RGB array, or an error that says why not."""

from .files import FORMATS, SUFFIXES
from .reading import ImageInput, load_image, read_image, resize_longest_side
from .values import MAX_PIXELS, ReadImage

__all__ = [
    "FORMATS",
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageInput",
    "ReadImage",
    "load_image",
    "read_image",
    "resize_longest_side",
]
