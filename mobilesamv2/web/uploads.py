"""Paths of uploaded files with the visitor's name for each: Gradio leaves characters out of the names it keeps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InvalidImageError, PromptError
from ..images import MAX_PIXELS, ReadImage
from ..images.files import from_path
from .text import page
from .text import programs as text

_LONGEST = 255
"""Characters of a name: what file systems allow. A program may send anything."""


class Upload(str):
    """The path of an uploaded file, as text, with the visitor's name for it.

    Args:
        path: where the file is.
        called: what the visitor called it, folders left out; by default the last part of the path.
    """

    __slots__ = ("called",)
    called: str

    def __new__(cls, path: str, called: str | None = None) -> Upload:
        upload = super().__new__(cls, path)
        upload.called = _last_part(called or "") or _last_part(path)
        return upload

    def __reduce__(self) -> tuple[type[Upload], tuple[str, str]]:
        return Upload, (str(self), self.called)


def name_of(photo: str | None) -> str:
    """What the visitor called an uploaded file; "" for no file."""
    return photo.called if isinstance(photo, Upload) else _last_part(photo or "")


def renamed(photos: Sequence[str], names: object) -> list[str]:
    """Uploads under the names that a program gives them; those without one keep their own.

    Args:
        names: a list with a text for each photo, "" for none; or nothing at all.

    Raises:
        PromptError: if it is something else.
    """
    if not names:
        return list(photos)
    if not isinstance(names, list) or len(names) != len(photos) or not all(isinstance(n, str) for n in names):
        raise PromptError(text.NAMES)
    return [Upload(photo, name or name_of(photo)) for photo, name in zip(photos, names, strict=True)]


def read_upload(photo: str, *, max_pixels: int = MAX_PIXELS) -> ReadImage:
    """The picture of an uploaded file.

    Raises:
        InvalidImageError: if it cannot be read; the sentence has the visitor's name for it.
    """
    try:
        return from_path(Path(photo), max_pixels=max_pixels)
    except InvalidImageError as error:
        if not os.path.lexists(photo):
            raise InvalidImageError(page.PHOTO_GONE) from error
        stored = Path(photo).name
        raise InvalidImageError(str(error).replace(stored, name_of(photo)) if stored else str(error)) from error


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2][:_LONGEST]
