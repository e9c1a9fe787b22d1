"""Refuses files that are no checkpoints: web pages, pointers of Git LFS, pictures, archives. Unpacks nothing."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path

from ..errors import WeightsError

_LFS = "version https://git-lfs.github.com/spec/"
_OTHERS: dict[bytes, str] = {
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip archive, to be unpacked first,",
    b"BZh": "a bzip2 archive, to be unpacked first,",
    b"\xfd7zXZ": "an xz archive, to be unpacked first,",
    b"\x28\xb5\x2f\xfd": "a zstd archive, to be unpacked first,",
    b"7z\xbc\xaf": "a 7z archive, to be unpacked first,",
    b"Rar!": "a RAR archive, to be unpacked first,",
    b"\x89HDF": "an HDF5 file, as Keras writes it,",
    b"GGUF": "a GGUF file of a language model",
}
"""How other files begin, and what they are."""
_WEB_PAGES = ("<!doctype", "<html", "<head", "<?xml")


def refuse_other_files(path: Path) -> None:
    """Let a file pass unless its form alone tells that it is no checkpoint.

    PyTorch writes its zip archives without compression. Its reader unpacks compressed ones all the same, and a few
    megabytes may become more than the memory holds.

    Raises:
        WeightsError: if it is empty, a web page, a pointer of Git LFS, any other text, a compressed archive or a file
            of another kind that is known, saying which.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError:
        return  # that is for the file's reader to say
    if not head:
        raise WeightsError(f"{path} is empty: it has zero bytes. Get it again.")
    for magic, kind in _OTHERS.items():
        if head.startswith(magic):
            raise WeightsError(f"{path} is {kind} and no checkpoint. Get the file from where the model was published.")
    text = _text(head)
    start = text.lower()
    if start.startswith(_WEB_PAGES):
        raise WeightsError(
            f"{path} is a web page and no checkpoint: its download gave a page of the site, often one to log in or to "
            "look at the file. Take the address of the file itself."
        )
    if text.startswith(_LFS):
        raise WeightsError(
            f"{path} is a pointer of Git LFS and no checkpoint: the repository was cloned without its large files. "
            "Run `git lfs pull` there, or download the file from the repository's page."
        )
    if text:
        raise WeightsError(
            f"{path} is a text and no checkpoint; it begins with {text[:40]!r}. A download that failed often "
            "leaves its message in the file: get it again."
        )
    if _is_packed(path):
        raise WeightsError(
            f"{path} is a compressed archive, and no checkpoint of PyTorch is; unpack it, or get the file from where "
            "the model was published."
        )


def _text(head: bytes) -> str:
    """The beginning of a file as text, without white space before it; "" if it is none."""
    code = "utf-16" if head.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = codecs.getincrementaldecoder(code)().decode(head)  # its last character may be cut
    except UnicodeDecodeError:
        return ""
    return text.strip() if all(letter.isprintable() or letter in "\t\n\r" for letter in text) else ""


def _is_packed(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # no archive, or a damaged one: that is for its reader to say
