"""Pictures as files of the page."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.web.layout.parts import jpeg, png


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))


def test_the_same_picture_is_the_same_file_and_what_is_being_sent_of_it_is_not_written_over(
    tmp_path: Path,
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    first = png(picture, "overlay")
    with open(first, "rb") as being_sent:
        assert png(picture, "overlay") == first
        assert os.fstat(being_sent.fileno()).st_ino != os.stat(first).st_ino
        assert being_sent.read() == Path(first).read_bytes()
    with Image.open(first) as image:
        assert (np.asarray(image) == picture).all()
    assert [path.name for path in Path(first).parent.iterdir()] == ["overlay.png"]


def test_photographs_become_jpegs() -> None:
    with Image.open(jpeg(np.full((4, 6, 3), 90, dtype=np.uint8), "photo")) as image:
        assert (image.format, image.size) == ("JPEG", (6, 4))
