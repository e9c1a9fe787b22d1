"""Photographs of phones, and files that are bytes or open."""

from __future__ import annotations

import importlib.util
import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, features

from mobilesamv2.images import load_image, read_image
from mobilesamv2.types import Picture

from .test_files import GRADIENT, refusal

# Phones' photographs: HEIC by a plugin, AVIF by Pillow itself


def enlarged(picture: Picture) -> Image.Image:
    """Large enough for colours that are stored more coarsely than light."""
    return Image.fromarray(np.kron(picture, np.ones((16, 16, 1), dtype=np.uint8)))


@pytest.mark.parametrize("suffix", ["heic", "heif", "avif"])
def test_photos_of_phones_are_read(tmp_path: Path, colours: Picture, suffix: str) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / f"IMG_0001.{suffix}"
    enlarged(colours).save(path, quality=95)
    for given in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        found = load_image(given)
        assert found.shape == (128, 192, 3)
        assert np.abs(found[8::16, 8::16].astype(int) - colours).max() <= 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["heic", "avif"])
def test_photos_of_phones_are_turned_as_their_camera_noted(
    tmp_path: Path, colours: Picture, orientation: int, suffix: str
) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    notes = Image.Exif()
    notes[0x0112] = orientation
    enlarged(colours).save(tmp_path / f"turned.{suffix}", quality=95, exif=notes.tobytes())
    small = Image.fromarray(colours)
    small.getexif()[0x0112] = orientation
    upright = np.asarray(ImageOps.exif_transpose(small)).astype(int)
    found = load_image(tmp_path / f"turned.{suffix}")
    assert found.shape == (16 * upright.shape[0], 16 * upright.shape[1], 3)
    assert np.abs(found[8::16, 8::16] - upright).max() <= 12


@pytest.mark.parametrize(
    ("brand", "expected"),
    [
        (b"heic", "a HEIC photo.*pip install pillow-heif.*JPEG"),
        (b"mif1", "pillow-heif"),
        (b"avif", "Pillow"),
    ],
)
def test_without_its_decoder_a_photo_of_a_phone_is_named_as_what_it_is(
    tmp_path: Path, brand: bytes, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(features, "check", lambda name: False)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    path = tmp_path / "IMG_0001.jpg"  # phones and people rename them
    path.write_bytes(b"\x00\x00\x00\x18ftyp" + brand + b"\x00" * 64)
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    text = refusal(path)
    assert re.search(rf"IMG_0001\.jpg is .*{expected}", text)


def test_a_photo_of_a_phone_that_came_in_half_is_damaged(tmp_path: Path, colours: Picture) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    path = tmp_path / "half.heic"
    enlarged(colours).save(path)
    for share in (2, 4, 20):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // share])
        assert "damaged" in refusal(path)


# Bytes and open files


def packed(picture: Picture, suffix: str = "png") -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, suffix)
    file.seek(0)
    return file


def test_bytes_and_open_files_are_read_like_the_file(tmp_path: Path, colours: Picture) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(packed(colours).read())
    content = path.read_bytes()
    with path.open("rb") as file:
        for given in (content, bytearray(content), memoryview(content), packed(colours), file):
            np.testing.assert_array_equal(load_image(given), colours)
    with path.open("rb", buffering=0) as raw:
        np.testing.assert_array_equal(load_image(raw), colours)


def test_an_open_file_is_read_from_where_it_stands(colours: Picture) -> None:
    file = io.BytesIO(b"a letter before it" + packed(colours).read())
    file.seek(len(b"a letter before it"))
    np.testing.assert_array_equal(load_image(file), colours)


def test_dim_colours_in_bytes_are_scaled_as_those_of_a_file(tmp_path: Path) -> None:
    rgb = np.stack([GRADIENT, GRADIENT[:, ::-1], GRADIENT // 2], axis=-1)
    cv2.imwrite(str(tmp_path / "a.png"), rgb[..., ::-1])
    of_file, of_bytes = read_image(tmp_path / "a.png"), read_image((tmp_path / "a.png").read_bytes())
    assert of_bytes.scaled_to_own_range
    np.testing.assert_array_equal(of_bytes.picture, of_file.picture)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", "zero bytes"),
        (b"a letter", "not a picture"),
        (io.BytesIO(), r"seek\(0\)"),
        (io.StringIO("text"), "binary mode"),
    ],
)
def test_what_holds_no_picture_is_refused(given: object, expected: str) -> None:
    assert re.search(expected, refusal(given))


def test_a_closed_file_is_refused_by_its_name(tmp_path: Path, colours: Picture) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(packed(colours).read())
    with path.open("rb") as file:
        pass
    assert "a.png cannot be read" in refusal(file)
