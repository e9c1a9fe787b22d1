"""Paths of uploaded files with the visitor's name for each: Gradio leaves characters out of the names it keeps."""

from __future__ import annotations

from pathlib import Path

from ..errors import InvalidImageError
from ..images import MAX_PIXELS
from ..images.files import from_path
from ..types import Picture

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


def read_upload(photo: str, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture of an uploaded file.

    Raises:
        InvalidImageError: if it cannot be read; the sentence has the visitor's name for it.
    """
    try:
        return from_path(Path(photo), max_pixels=max_pixels).picture
    except InvalidImageError as error:
        stored = Path(photo).name
        raise InvalidImageError(
            str(error).replace(stored, name_of(photo)) if stored else str(error)
        ) from error


def _last_part(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2][:_LONGEST]
