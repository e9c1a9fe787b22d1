"""Files of any depth, number of bands and layout: what comes out, in which brightness and order, or one sentence."""

from __future__ import annotations

import io
import struct
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from mobilesamv2.images import read_image

from .test_files import refusal

HEIGHT, WIDTH = 33, 40  # OpenJPEG wants more than 32
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH] / ((HEIGHT - 1, WIDTH - 1))[0]
SHARES = np.stack(
    [COLUMNS / COLUMNS.max(), ROWS, 0.5 * ROWS, 1 - ROWS, ROWS * 0 + 0.3, *([ROWS * 0 + 1.0] * 3)], axis=-1
)
"""Values from 0 to 1 of (H, W, 8): each band another, so that mixed ones show; the first two and the fourth reach 1."""


def numbers(dtype: str, bands: int, *, highest: float) -> np.ndarray:
    """So many bands of a picture whose greatest value is the one that is given."""
    values = SHARES[..., :bands] * highest
    return (np.rint(values) if np.dtype(dtype).kind in "iu" else values).astype(dtype)


def tiff(values: np.ndarray, **options: Any) -> bytes:
    """A TIFF of (H, W), or (H, W, bands) in one of the two layouts."""
    file = io.BytesIO()
    if options.get("planarconfig") == "separate":
        values = np.moveaxis(values, -1, 0).copy()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def by_opencv(values: np.ndarray, suffix: str, *options: int) -> bytes:
    """A file of (H, W), or (H, W, 3 or 4) in RGB order."""
    ordered = values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]
    done, content = cv2.imencode(suffix, ordered, options)
    assert done
    return bytes(content)


def expect(content: bytes, bands: int, *, share: float = 1.0, own_range: bool = False, within: float = 0.51) -> None:
    """Whether the first three bands (of two the first) come out in order, with 255 for the share that is given."""
    read = read_image(content)
    colours = SHARES[..., :3] if bands > 2 else np.repeat(SHARES[..., :1], 3, axis=-1)
    np.testing.assert_allclose(read.picture, colours * share * 255, atol=within)
    assert read.scaled_to_own_range == own_range


@pytest.fixture(autouse=True)
def _nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> Any:
    yield
    written = capfd.readouterr()
    assert written.out + written.err == ""


# (type, highest value, what becomes of it, whether it was scaled to the picture's own range)
DEPTHS = [
    ("uint8", 255, 1.0, False),
    ("uint8", 30, 30 / 255, False),
    ("uint16", 65535, 1.0, False),
    ("uint16", 40_000, 40_000 / 65535, False),
    ("uint16", 4095, 1.0, True),
    ("int16", 32767, 1.0, False),
    ("int16", 4095, 1.0, True),
    ("uint32", 65535, 1.0, False),
    ("uint32", 4095, 1.0, True),
    ("uint32", 2**32 - 1, 1.0, False),
    ("uint32", 1_000_000, 1.0, True),
    ("float16", 1, 1.0, False),
    ("float32", 1, 1.0, False),
    ("float32", 0.5, 0.5, False),
    ("float32", 0.01, 1.0, True),
    ("float32", 4095, 1.0, True),
    ("float64", 1, 1.0, False),
    ("float64", 1e-6, 1.0, True),
    ("float64", 250, 1.0, True),
]
LAYOUTS: list[dict[str, Any]] = [
    {"planarconfig": planar, "byteorder": order, "compression": packed}
    for planar, order, packed in (
        ("contig", "<", None),
        ("contig", ">", "deflate"),
        ("separate", "<", "deflate"),
        ("separate", ">", None),
    )
]
MARKS = [("rgb", 3), ("rgb", 4), ("rgb", 8), *(("minisblack", bands) for bands in (1, 2, 3, 4, 5, 8))]


@pytest.mark.parametrize(("dtype", "highest", "share", "own_range"), DEPTHS)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "-".join(map(str, layout.values())))
def test_a_tiff_of_any_depth_layout_and_number_of_bands(
    dtype: str, highest: float, share: float, own_range: bool, layout: dict[str, Any]
) -> None:
    for photometric, bands in MARKS:
        extra = [0] * (bands - (3 if photometric == "rgb" else 1))
        options = {**layout, "planarconfig": layout["planarconfig"] if bands > 1 else None}
        values = numbers(dtype, bands, highest=highest)
        content = tiff(values if bands > 1 else values[..., 0], photometric=photometric, extrasamples=extra, **options)
        expect(content, bands, share=share, own_range=own_range, within=1 if dtype == "float16" else 0.51)


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"tile": (16, 16)}, {"rowsperstrip": 5}, {"predictor": True}])
def test_a_deep_tiff_in_tiles_strips_and_large_files(options: dict[str, Any]) -> None:
    packed = {"compression": "deflate"} if "predictor" in options else {}
    expect(tiff(numbers("uint16", 4, highest=4095), photometric="rgb", **options, **packed), 4, own_range=True)


@pytest.mark.parametrize(("dtype", "highest", "own_range"), [("uint16", 65535, False), ("uint16", 4095, True)])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_deep_tiffs_of_lzw_are_read_without_another_package(
    dtype: str, highest: float, own_range: bool, bands: int
) -> None:
    values = numbers(dtype, bands, highest=highest)
    if bands == 4:
        values[..., 3] = 65535
    content = by_opencv(values if bands > 1 else values[..., 0], ".tiff", cv2.IMWRITE_TIFF_COMPRESSION, 5)
    expect(content, bands, own_range=own_range)


def test_other_tiffs_of_lzw_are_read_or_name_the_package() -> None:
    for bands, planar in ((5, "contig"), (8, "separate"), (3, "separate")):
        plain = tiff(numbers("uint16", bands, highest=4095), photometric="minisblack", planarconfig=planar)
        tag = struct.pack("<HHIH", 259, 3, 1, 1)
        assert plain.count(tag) == 1
        packed = plain.replace(tag, struct.pack("<HHIH", 259, 3, 1, 5))
        assert refusal(packed) in (
            "The picture is compressed in a way that takes one more package: pip install imagecodecs. "
            "Or save it without compression.",
            # Where the package is installed:
            "The picture is damaged or incomplete and cannot be decoded. Download or save it again.",
        )


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "jpeg", "packbits"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_a_tiff_of_8_bits_in_any_compression(compression: str, mode: str) -> None:
    if compression == "jpeg" and mode in ("RGBA", "CMYK"):
        return  # libtiff keeps no such thing
    picture = Image.fromarray(numbers("uint8", 3, highest=255)).resize((160, 96), Image.Resampling.NEAREST)
    file = io.BytesIO()
    picture.convert(mode).save(file, "tiff", compression=compression)
    expected = np.asarray(picture.convert("L").convert("RGB") if mode == "L" else picture)
    assert np.abs(read_image(file.getvalue()).picture.astype(int) - expected).max() <= (
        40 if compression == "jpeg" else 1
    )


@pytest.mark.parametrize(
    ("dtype", "highest", "full"), [("uint8", 255, 255), ("uint16", 4095, 65535), ("float32", 1, 1)]
)
@pytest.mark.parametrize("mark", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize("bands", [2, 4])
def test_a_band_marked_as_opacity_is_followed(dtype: str, highest: float, full: float, mark: str, bands: int) -> None:
    values = numbers(dtype, bands, highest=highest)
    values[..., -1] = full
    values[:, :5, -1] = 0
    if mark == "assocalpha":
        values[:, :5] = 0
    photometric = "rgb" if bands == 4 else "minisblack"
    read = read_image(tiff(values, photometric=photometric, extrasamples=[mark], planarconfig="contig"))
    assert (read.picture[:, :5] == 255).all()
    expected = SHARES[..., :3] if bands == 4 else np.repeat(SHARES[..., :1], 3, axis=-1)
    np.testing.assert_allclose(read.picture[:, 5:], expected[:, 5:] * 255, atol=1)


@pytest.mark.parametrize("mark", ["unspecified", "unassalpha", "assocalpha"])
@pytest.mark.parametrize("write", ["tiff", "png"])
def test_a_fourth_band_as_dim_as_the_colours_is_no_opacity(mark: str, write: str) -> None:
    values = numbers("uint16", 4, highest=4095)
    expect(
        by_opencv(values, ".png") if write == "png" else tiff(values, photometric="rgb", extrasamples=[mark]),
        4,
        own_range=True,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_deep_tiff_is_turned_as_its_camera_noted(orientation: int, planar: str) -> None:
    file = io.BytesIO()
    shown = Image.fromarray(numbers("uint8", 3, highest=255))
    shown.save(file, "tiff", tiffinfo={274: orientation})
    values = numbers("uint16", 3, highest=65535)
    tag = (274, "H", 1, orientation, True)
    read = read_image(tiff(values, photometric="rgb", planarconfig=planar, extratags=[tag]))
    np.testing.assert_allclose(read.picture, read_image(file.getvalue()).picture, atol=1)


def test_where_0_is_white_a_deep_tiff_is_turned_round() -> None:
    read = read_image(tiff(numbers("uint16", 1, highest=65535)[..., 0], photometric="miniswhite"))
    np.testing.assert_allclose(read.picture[..., 0], 255 - SHARES[..., 0] * 255, atol=0.51)


@pytest.mark.parametrize("bands", [1, 3, 5])
@pytest.mark.parametrize(
    ("value", "expected"), [(np.nan, "NaN or infinity"), (np.inf, "NaN or infinity"), (-0.5, "none below 0")]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_that_are_no_brightness_are_named(bands: int, value: float, expected: str, dtype: str) -> None:
    values = numbers(dtype, bands, highest=1)
    values[3, 4, 0] = value
    marks = {"photometric": "rgb" if bands == 3 else "minisblack", "planarconfig": "contig" if bands > 1 else None}
    content = tiff(values if bands > 1 else values[..., 0], **marks)
    assert expected in refusal(content)


@pytest.mark.parametrize("suffix", [".png", ".ppm"])
@pytest.mark.parametrize(("dtype", "highest", "share", "own_range"), DEPTHS[:5])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_other_files_of_8_and_16_bits(
    suffix: str, dtype: str, highest: float, share: float, own_range: bool, bands: int
) -> None:
    if suffix == ".ppm" and bands == 4:
        return  # no such thing
    values = numbers(dtype, bands, highest=highest)
    if bands == 4:
        values[..., 3] = np.iinfo(dtype).max
    name = ".pgm" if suffix == ".ppm" and bands == 1 else suffix
    # Of bright colours Pillow keeps the upper 8 bits.
    content = by_opencv(values if bands > 1 else values[..., 0], name)
    expect(content, bands, share=share, own_range=own_range, within=1)


@pytest.mark.parametrize(("highest", "share", "own_range"), [(40_000, 40_000 / 65535, False), (4095, 1.0, True)])
@pytest.mark.parametrize("bands", [1, 3])
def test_jpeg_2000_of_16_bits(highest: float, share: float, own_range: bool, bands: int) -> None:
    values = numbers("uint16", bands, highest=highest)
    content = by_opencv(values if bands > 1 else values[..., 0], ".jp2", cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    expect(content, bands, share=share, own_range=own_range, within=8)


@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_a_portable_map_says_itself_what_is_white(kind: str) -> None:
    bands = 1 if kind == "P5" else 3
    values = numbers("uint16", bands, highest=4095).astype(">u2")
    expect(f"{kind} {WIDTH} {HEIGHT} 4095\n".encode() + values.tobytes(), bands, within=1)


def test_a_deep_tiff_that_is_cut_short_or_promises_too_much_is_refused() -> None:
    whole = tiff(numbers("uint16", 5, highest=4095), photometric="minisblack", planarconfig="contig")
    for length in (9, 60, len(whole) - 700, len(whole) - 1):
        assert "damaged" in refusal(whole[:length])
    width = struct.pack("<HHII", 256, 4, 1, WIDTH)
    assert whole.count(width) == 1
    assert "megapixels" in refusal(whole.replace(width, struct.pack("<HHII", 256, 4, 1, 100_000_000)))
    assert "GB" in refusal(whole.replace(width, struct.pack("<HHII", 256, 4, 1, 3_000_000)))


def test_a_volume_is_refused() -> None:
    content = tiff(np.zeros((4, 16, 32), np.uint16), volumetric=True, tile=(16, 16, 16), photometric="minisblack")
    assert "volume" in refusal(content)
