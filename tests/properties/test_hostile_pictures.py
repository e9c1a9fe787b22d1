"""Damaged files of every format are a picture or one sentence, never another error and never the end of the process."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.images import FORMATS, load_image
from tests.hostile.pictures import deep, floats, pages, photo, saved

Edit = tuple[str, float, bytes]
"""What is done, where as a share of the file, and the bytes."""


@functools.cache
def seeds() -> dict[str, bytes]:
    """A file of every format, and those of many kinds within one."""
    Image.init()
    made = {kind: saved(photo(), kind) for kind in FORMATS if kind in Image.SAVE}
    turned = saved(photo(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
    rgb16 = np.random.default_rng(0).integers(0, 9000, (12, 16, 3), dtype=np.uint16)
    import cv2

    return made | {
        "turned JPEG": turned,
        "grey of 16 bits": deep("I;16", "TIFF"),
        "colour of 16 bits": cv2.imencode(".png", rgb16)[1].tobytes(),
        "colour TIFF of 16 bits": cv2.imencode(".tif", rgb16)[1].tobytes(),
        "float": floats(),
        "pages": pages(),
        "palette": saved(photo("P"), "PNG", transparency=3),
        "CMYK": saved(photo("CMYK"), "JPEG"),
    }


EDITS = st.tuples(
    st.sampled_from(["write", "insert", "delete", "repeat", "cut"]),
    st.floats(0, 1),
    st.one_of(
        st.binary(min_size=1, max_size=8),
        st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"]),
    ),
)


def edited(content: bytes, edits: list[Edit]) -> bytes:
    """A file with something done to it."""
    for what, where, new in edits:
        place = int(where * len(content))
        if what == "write":
            content = content[:place] + new + content[place + len(new) :]
        elif what == "insert":
            content = content[:place] + new + content[place:]
        elif what == "delete":
            content = content[:place] + content[place + len(new) :]
        elif what == "repeat":
            content = content[:place] + content[place : place + 64] * (1 + new[0] % 8) + content[place + 64 :]
        else:
            content = content[:place]
    return content


def is_read_or_refused(content: bytes, folder: Path) -> None:
    path = folder / "photo"
    path.write_bytes(content)
    try:
        picture = load_image(path)
    except InvalidImageError as error:
        said = str(error)
        assert re.fullmatch(r"photo .*\.", said), said
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.size


@given(st.sampled_from(sorted(seeds())), st.lists(EDITS, min_size=1, max_size=4))
def test_a_damaged_file_is_read_or_refused(folder_of_the_session: Path, seed: str, edits: list[Edit]) -> None:
    is_read_or_refused(edited(seeds()[seed], edits), folder_of_the_session)


MARKS = (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"II*\0", b"MM\0*", b"BM", b"P6 ", b"RIFF")


@given(st.sampled_from(MARKS), st.binary(max_size=400))
def test_noise_behind_the_mark_of_a_format_is_read_or_refused(
    folder_of_the_session: Path, mark: bytes, noise: bytes
) -> None:
    is_read_or_refused(mark + noise, folder_of_the_session)
