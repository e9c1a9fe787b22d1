"""Sentences for programs: what an endpoint is, and what is wrong with a value."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

PHOTO = (
    "photo must be a file: handle_file(path or address) in Python, "
    '{"path": ..., "meta": {"_type": "gradio.FileData"}} of an upload in JSON.'
)
PHOTOS = "photos must be a list of files, each as photo takes one: [handle_file(path), ...] in Python."
PREDICT_API = (
    "Masks for points and boxes on a photo. Returns the overlay as a PNG, with the surest mask of each object, and a "
    "record: size of the photo, model, device, seconds, and for each object its masks as COCO run lengths with box, "
    "area and predicted IoU, in the order asked."
)
EXPORT_API = (
    "Segment everything in a photo and return the masks as files in one ZIP: a COCO data set with run lengths, a label "
    "map with a legend, a black and white PNG of each mask, cut-outs with transparency, the overlay; and the record of "
    "the run."
)
BATCH_API = (
    "Segment everything in several photos and return one ZIP with a folder for each, one COCO data set and a summary; "
    "and that summary. A photo that cannot be read is named in it and does not stop the others."
)
MCP_MISSING = 'MCP is not served: it needs `pip install "mobilesamv2[mcp]"` (or -e ".[mcp]"). All else works.'


def no_file(name: str, got: str) -> str:
    return f"{name} must be a file that was uploaded, or an address that answers with one; got {_got(got)}."


def whole_number(name: str, low: int, high: int, got: object) -> str:
    return f"{name} must be a whole number from {low} to {high}; got {_got(got)}."


def choice(name: str, choices: Sequence[str], got: object) -> str:
    return f"{name} must be one of {', '.join(choices)}; got {_got(got)}."


def yes_or_no(name: str, got: object) -> str:
    return f"{name} must be true or false; got {_got(got)}."


def words(name: str, got: object) -> str:
    return f"{name} must be a text; got {_got(got)}."


def _got(value: object) -> str:
    return escape(f"{value!r:.60}", quote=False)
