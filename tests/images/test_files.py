"""Every kind of file a person may bring is read rightly or refused in one sentence."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps, UnidentifiedImageError

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.images import MAX_PIXELS, load_image, read_image
from mobilesamv2.types import Picture


def refusal(image: object) -> str:
    """The one sentence (or two) that a picture is refused with."""
    with pytest.raises(InvalidImageError) as caught:
        load_image(image)  # type: ignore[arg-type]
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG whose header promises so many pixels and whose data holds none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


# What is read


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "ppm"])
def test_a_lossless_file_is_read_exactly(tmp_path: Path, colours: Picture, suffix: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(colours).save(path)
    with Image.open(path) as opened:
        for given in (path, str(path), opened):
            np.testing.assert_array_equal(load_image(given), colours)


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "RGB"), ("jpg", "CMYK"), ("webp", "RGB"), ("tiff", "CMYK")])
def test_lossy_and_printing_colours_are_read_nearly(tmp_path: Path, colours: Picture, suffix: str, mode: str) -> None:
    path = tmp_path / f"picture.{suffix}"
    large = Image.fromarray(colours).resize((192, 128), Image.Resampling.NEAREST)
    large.convert(mode).save(path, quality=95)
    found = load_image(path)[8::16, 8::16].astype(int)
    assert np.abs(found - colours).max() <= 12


def lossless(suffix: str) -> dict[str, Any]:
    """Options for writing a file without loss."""
    return {"lossless": True} if suffix == "webp" else {}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_a_photo_is_turned_as_its_camera_noted(tmp_path: Path, colours: Picture, orientation: int, suffix: str) -> None:
    notes = Image.Exif()
    notes[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(colours).save(path, exif=notes, **lossless(suffix))
    with Image.open(path) as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    found = load_image(path)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == ((8, 12, 3) if orientation < 5 else (12, 8, 3))


def test_damaged_camera_notes_do_not_stop_a_photo(tmp_path: Path, colours: Picture) -> None:
    path = tmp_path / "photo.png"
    Image.fromarray(colours).save(path, exif=b"Exif\x00\x00nonsense")
    np.testing.assert_array_equal(load_image(path), colours)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(tmp_path: Path, mode: str) -> None:
    alpha = np.array([[0, 255]], dtype=np.uint8)
    picture = Image.merge("RGBA", [Image.fromarray(np.full((1, 2), 90, dtype=np.uint8))] * 3 + [Image.fromarray(alpha)])
    path = tmp_path / "see-through.png"
    if mode == "P":
        palette = Image.new("P", (2, 1))
        palette.putpalette([0, 0, 0, 90, 90, 90])
        palette.putpixel((1, 0), 1)
        palette.save(path, transparency=b"\x00\xff")
    else:
        picture.convert(mode).save(path)
    assert load_image(path).tolist() == [[[255] * 3, [90] * 3]]


def test_black_and_white_and_grey_become_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bits.png")
    Image.fromarray(np.array([[7, 200]], dtype=np.uint8)).save(tmp_path / "grey.png")
    assert load_image(tmp_path / "bits.png").tolist() == [[[0] * 3, [255] * 3]]
    assert load_image(tmp_path / "grey.png").tolist() == [[[7] * 3, [200] * 3]]


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_keeps_its_shades(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16)).save(path)
    assert load_image(path)[0, :, 0].tolist() == [0, 100, 255]


def test_32_bit_grey_within_16_bits_is_read_as_such() -> None:
    picture = load_image(Image.fromarray(np.array([[0, 257 * 3, 65535]], dtype=np.int32)))
    assert picture[0, :, 0].tolist() == [0, 3, 255]


def test_floating_point_grey_is_taken_as_0_to_1(tmp_path: Path) -> None:
    path = tmp_path / "float.tiff"
    Image.fromarray(np.array([[0, 0.2, 1]], dtype=np.float32)).save(path)
    assert load_image(path)[0, :, 0].tolist() == [0, 51, 255]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path: Path, colours: Picture, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    first, second = Image.fromarray(colours), Image.fromarray(colours[::-1].copy())
    first.save(path, save_all=True, append_images=[second], duration=50, **lossless(suffix))
    with Image.open(path) as opened:
        assert getattr(opened, "n_frames", 1) == 2
    np.testing.assert_array_equal(load_image(path), colours)


GRADIENT = np.linspace(0, 4095, 20 * 30).reshape(20, 30).astype(np.uint16)


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_dim_grey_of_16_bits_is_scaled_to_its_own_range(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(GRADIENT).save(tmp_path / f"a.{suffix}")
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.scaled_to_own_range
    assert np.abs(read.picture[..., 0] - GRADIENT / 4095 * 255).max() <= 0.5
    assert read_image(read) is read


@pytest.mark.parametrize("suffix", ["png", "ppm", "tiff"])
def test_dim_colours_of_16_bits_are_scaled_to_their_own_range(tmp_path: Path, suffix: str) -> None:
    rgb = np.stack([GRADIENT, GRADIENT[:, ::-1], GRADIENT // 2], axis=-1)
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), rgb[..., ::-1])
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.scaled_to_own_range
    assert np.abs(read.picture - rgb / 4095 * 255).max() <= 0.5


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("opacity", [0, 65535])
def test_dim_colours_with_transparency_are_scaled_and_lie_on_white(tmp_path: Path, suffix: str, opacity: int) -> None:
    rgb = np.stack([GRADIENT, GRADIENT[:, ::-1], GRADIENT // 2], axis=-1)
    alpha = np.full(GRADIENT.shape, 65535, dtype=np.uint16)
    alpha[:, 0] = opacity
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), np.dstack([rgb[..., ::-1], alpha]))
    read = read_image(tmp_path / f"a.{suffix}")
    assert read.scaled_to_own_range
    assert np.abs(read.picture - rgb / 4095 * 255)[:, 1:].max() <= 0.5
    assert opacity or (read.picture[:, 0] == 255).all()


def test_a_dim_float_tiff_is_scaled_to_its_own_range(tmp_path: Path) -> None:
    Image.fromarray((GRADIENT / 40950).astype(np.float32)).save(tmp_path / "a.tiff")
    read = read_image(tmp_path / "a.tiff")
    assert read.scaled_to_own_range
    assert np.abs(read.picture[..., 0] - GRADIENT / 4095 * 255).max() <= 0.5


@pytest.mark.parametrize("highest", [0, 16384, 65535])
@pytest.mark.parametrize("colours", [1, 3])
def test_other_pictures_of_16_bits_keep_their_range(tmp_path: Path, highest: int, colours: int) -> None:
    values = np.linspace(0, highest, 600).reshape(20, 30).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), values if colours == 1 else np.stack([values] * 3, axis=-1))
    read = read_image(tmp_path / "a.png")
    assert not read.scaled_to_own_range
    assert np.abs(read.picture[..., 0] - values / 257).max() <= 1


def test_a_dark_photo_of_8_bits_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 5, 3), 9, dtype=np.uint8)).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    assert not read.scaled_to_own_range
    assert read.picture.max() == 9


def test_a_note_on_turning_is_followed_and_who_turned_takes_it_away() -> None:
    photo = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    photo.getexif()[0x0112] = 6
    assert load_image(photo).shape == (5, 4, 3)
    turned = ImageOps.exif_transpose(photo)
    assert (load_image(turned) == load_image(photo)).all()
    assert (load_image(np.asarray(turned)) == load_image(photo)).all()


# What is refused


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "zero bytes"),
        (b"What a lovely day to walk by the sea.", "not a picture that can be read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture that can be read"),
    ],
    ids=["empty", "text", "eps", "svg"],
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    text = refusal(path)
    assert expected in text
    assert "holiday.jpg" in text


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "webp", "tiff", "bmp"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    text = refusal(path)
    assert path.name in text
    assert "damaged" in text


def test_what_is_no_picture_is_refused_where_opening_wants_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Image.open

    def patched(*arguments: object, **options: object) -> Image.Image:  # as Ultralytics leaves it
        try:
            return original(*arguments, **options)  # type: ignore[arg-type]
        except UnidentifiedImageError:
            raise ModuleNotFoundError("No module named 'pi_heif'") from None

    monkeypatch.setattr(Image, "open", patched)
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    assert "notes.jpg is not a picture that can be read" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "nowhere.png")
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize("path", ["nul\0byte.png", "x" * 5000])
def test_impossible_paths_are_refused(path: str) -> None:
    refusal(path)


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (12_000, 10_001)])
def test_too_many_pixels_are_refused_from_the_header_without_a_warning(tmp_path: Path, width: int, height: int) -> None:
    path = tmp_path / "poster.png"
    path.write_bytes(png_that_declares(width, height))  # decoding it would fail otherwise
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f"more than {MAX_PIXELS // 10**6} megapixels" in refusal(path)


def test_a_picture_between_pillows_limit_and_ours_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_that_declares(10_000, 10_000))
    assert "damaged" in refusal(path)  # for its data, and no longer for its size


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, np.nan]], dtype=np.float32), "NaN or infinity"),
        (np.array([[0, np.inf]], dtype=np.float32), "NaN or infinity"),
        (np.array([[-1, 5]], dtype=np.int32), "none below 0 is expected"),
    ],
)
def test_grey_values_that_are_no_brightness_are_refused(values: np.ndarray, expected: str) -> None:
    assert expected in refusal(Image.fromarray(values))


@pytest.mark.parametrize("values", [np.array([[0, 300]], dtype=np.float32), np.array([[0, 70_000]], dtype=np.int32)])
def test_grey_values_beyond_the_known_range_are_scaled_to_their_own(values: np.ndarray) -> None:
    read = read_image(Image.fromarray(values))
    assert read.scaled_to_own_range
    assert read.picture[0, :, 0].tolist() == [0, 255]


def test_colours_that_cannot_be_converted_are_refused() -> None:
    assert "La" in refusal(Image.new("La", (3, 3)))


def test_a_closed_image_is_refused(tmp_path: Path, colours: Picture) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(colours).save(path)
    with Image.open(path) as opened:
        pass
    refusal(opened)


def test_a_jfif_photo_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "photo.jfif"
    Image.fromarray(np.full((4, 6, 3), 90, dtype=np.uint8)).save(path, "jpeg")
    assert load_image(path).shape == (4, 6, 3)
