"""Files that are no picture, a hostile one or an odd one: made here from a seed, none is kept as a file."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, TiffImagePlugin

SIZE_WH = (64, 48)
"""Of every picture that may be read, where its name says nothing else."""


@dataclass(frozen=True)
class HostileFile:
    """One file to be uploaded or named.

    Args:
        what: what it is, for the table.
        name: of the file, as the sender calls it.
        make: gives its bytes.
    """

    what: str
    name: str
    make: Callable[[], bytes]


def photo(mode: str = "RGB", seed: int = 0, size_wh: tuple[int, int] = SIZE_WH) -> Image.Image:
    """A picture of coloured blocks."""
    width, height = size_wh
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file of a picture."""
    packed = io.BytesIO()
    image.save(packed, kind, **options)
    return packed.getvalue()


def png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, with right check sums."""
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def png_of(
    width: int,
    height: int,
    *,
    bits: int = 1,
    between: tuple[tuple[bytes, bytes], ...] = (),
    pixels: bool = True,
) -> bytes:
    """A black grey PNG, with chunks before its pixels; without `pixels` it only promises them."""
    rows = zlib.compress(bytes((width * bits + 7) // 8 + 1) * height, 9) if pixels else b""
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return png([(b"IHDR", header), *between, (b"IDAT", rows), (b"IEND", b"")])


def tiff_of(width: int, height: int, *, bands: int = 1, next_at: int = 0, data: bytes = b"\0" * 8) -> bytes:
    """An uncompressed 8-bit TIFF; `next_at` is where it says that its next page lies."""
    entries = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, bands),
        (278, 4, height),
        (279, 4, width * height * bands % 2**32),
    ]
    directory = struct.pack("<H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack("<HHI", tag, kind, 1) + struct.pack(
            "<I" if kind == 4 else "<HH", value, *[0] * (kind == 3)
        )
    directory += struct.pack("<I", next_at)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory


def half(kind: str, image: Image.Image | None = None) -> Callable[[], bytes]:
    """The first half of a file of that format."""

    def cut() -> bytes:
        whole = saved(image or photo(size_wh=(160, 120)), kind)
        return whole[: len(whole) // 2]

    return cut


def exif(**tags: Any) -> bytes:
    notes = Image.Exif()
    for tag, value in tags.items():
        notes[int(tag[1:])] = value
    return notes.tobytes()


def turned(note: int) -> bytes:
    return saved(photo(), "JPEG", exif=exif(t274=note))


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("run.sh", "echo hello")
    return packed.getvalue()


def floats(*odd: float) -> bytes:
    """A TIFF of floating-point grey within 0 to 1, but for the first pixels."""
    values = np.linspace(0, 1, SIZE_WH[0] * SIZE_WH[1], dtype=np.float32).reshape(SIZE_WH[::-1])
    values[0, : len(odd)] = odd
    return saved(Image.fromarray(values), "TIFF")


def deep(mode: str, kind: str) -> bytes:
    values = np.arange(SIZE_WH[0] * SIZE_WH[1], dtype=np.int32).reshape(SIZE_WH[::-1]) * 20
    return saved(Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.int32)), kind)


def animated(kind: str, frames: int = 3) -> bytes:
    first, *others = [photo(seed=seed) for seed in range(frames)]
    return saved(first, kind, save_all=True, append_images=others)


def pages() -> bytes:
    other = photo(size_wh=(20, 90), seed=5)
    return saved(photo(), "TIFF", save_all=True, append_images=[other, other])


def with_comment(comment: bytes) -> bytes:
    return saved(photo(), "JPEG", comment=comment)


def heic() -> bytes:
    pillow_heif.register_heif_opener()
    return saved(photo(), "HEIF")


def heic_of(side: int) -> bytes:
    """A HEIC whose header says that it is so many pixels wide and high."""
    before, name, after = heic().partition(b"ispe\0\0\0\0")
    return before + name + struct.pack(">II", side, side) + after[8:]


def odd_tags() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33550], tags[270] = (float("nan"), float("inf"), -1.0), "x" * 100_000
    return saved(photo(), "TIFF", tiffinfo=tags)


def png_with(kind: bytes, data: bytes) -> bytes:
    """A PNG of `SIZE_WH` with one more chunk."""
    return png_of(*SIZE_WH, bits=8, between=((kind, data),))


def circle() -> bytes:
    return tiff_of(*SIZE_WH, next_at=8 + len(PIXELS), data=PIXELS)


def noise(count: int) -> bytes:
    return np.random.default_rng(1).bytes(count)


EXIF_NOISE = b"Exif\0\0" + np.random.default_rng(1).bytes(5_000)
HALVED = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
MILLION = bytes(1_000_000)
GIF_OF_65535 = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;"
SVG = b"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY secret SYSTEM "file:///etc/passwd">]>
<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><script>alert(1)</script>
<image href="http://127.0.0.1:9/x.png"/><text>&secret;</text></svg>"""
HTML = b"<!DOCTYPE html><html><script>alert(1)</script><img src='http://127.0.0.1:9/x.png'></html>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n(%pipe%touch /tmp/it-ran) (w) file closefile\n"
HEIC_HEADER = struct.pack(">I", 24) + b"ftypheic\0\0\0\0heicmif1" + b"\0" * 200
PIXELS = b"\0" * (SIZE_WH[0] * SIZE_WH[1])

BOMBS = (
    HostileFile("PNG of 900 megapixels that has none", "photo.png", lambda: png_of(30_000, 30_000, pixels=False)),
    HostileFile("PNG of 400 megapixels in 50 kB", "photo.png", lambda: png_of(20_000, 20_000)),
    HostileFile("PNG of 4 megapixels in 1 kB", "photo.png", lambda: png_of(2_000, 2_000)),
    HostileFile("PNG of 2³¹-1 x 2³¹-1", "photo.png", lambda: png_of(2**31 - 1, 2**31 - 1, pixels=False)),
    HostileFile("PNG without a pixel, 0 x 0", "photo.png", lambda: png_of(0, 0, pixels=False)),
    HostileFile("GIF of 65535 x 65535", "photo.gif", lambda: GIF_OF_65535),
    HostileFile(
        "JPEG of 65535 x 65535",
        "photo.jpg",
        lambda: b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0\xff\xda\0\x08\1\1\0\0?\0",
    ),
    HostileFile("TIFF of 100,000 x 100,000", "photo.tif", lambda: tiff_of(100_000, 100_000)),
    HostileFile(
        "BMP of 2³¹-1 x 2³¹-1",
        "photo.bmp",
        lambda: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, *[2**31 - 1] * 2, 1, 24, *[0] * 6),
    ),
    HostileFile("PPM of 10⁹ x 10⁹", "photo.ppm", lambda: b"P6 1000000000 1000000000 255\n"),
    HostileFile(
        "PNG with a text that unpacks to 70 MB",
        "photo.png",
        lambda: png_with(b"zTXt", b"a\0\0" + zlib.compress(bytes(70_000_000), 9)),
    ),
    HostileFile(
        "PNG with an ICC profile that unpacks to 70 MB",
        "photo.png",
        lambda: png_with(b"iCCP", b"a\0\0" + zlib.compress(bytes(70_000_000), 9)),
    ),
    HostileFile("HEIC of 100,000 x 100,000", "photo.heic", lambda: heic_of(100_000)),
    HostileFile("TIFF whose pages go round in a circle", "photo.tif", circle),
    HostileFile("GIF of 400 frames", "photo.gif", lambda: animated("GIF", 400)),
)  # fmt: skip
TRUNCATED = (
    *(HostileFile(f"half a {kind}", f"photo.{kind.lower()}", half(kind)) for kind in HALVED),
    HostileFile("half a HEIC", "photo.heic", lambda: heic()[: len(heic()) // 2]),
    HostileFile("half a JPEG 2000", "photo.jp2", half("JPEG2000")),
    HostileFile("no byte", "photo.jpg", lambda: b""),
    HostileFile("one byte", "photo.jpg", lambda: b"\xff"),
    HostileFile("start and end of a JPEG, nothing between", "photo.jpg", lambda: b"\xff\xd8\xff\xd9"),
    HostileFile("PNG with a wrong check sum", "photo.png", lambda: saved(photo(), "PNG").replace(b"IEND", b"IENX")),
    HostileFile("noise of 100 kB", "photo.jpg", lambda: noise(100_000)),
)  # fmt: skip
DISGUISED = (
    HostileFile("SVG with a script and an outer entity, named PNG", "photo.png", lambda: SVG),
    HostileFile("SVG", "photo.svg", lambda: SVG),
    HostileFile("HTML with a script, named JPEG", "photo.jpg", lambda: HTML),
    HostileFile("HTML", "photo.html", lambda: HTML),
    HostileFile("EPS with a program, named JPEG", "photo.jpg", lambda: EPS),
    HostileFile("PDF, named JPEG", "photo.jpg", lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF"),
    HostileFile("ZIP, named PNG", "photo.png", zipped),
    HostileFile("pickle, named PNG", "photo.png", lambda: pickle.dumps({"a": 1})),
    HostileFile("program for Linux, named PNG", "photo.png", lambda: b"\x7fELF\2\1\1" + bytes(200)),
    HostileFile("shell script, named JPEG", "photo.jpg", lambda: b"#!/bin/sh\ntouch /tmp/it-ran\n"),
    HostileFile("Windows icon, named PNG", "photo.png", lambda: saved(photo(size_wh=(32, 32)), "ICO")),
    HostileFile("TGA, named JPEG", "photo.jpg", lambda: saved(photo(), "TGA")),
    HostileFile("PNG, named JPEG", "photo.jpg", lambda: saved(photo(), "PNG")),
    HostileFile("JPEG and ZIP in one", "photo.jpg", lambda: saved(photo(), "JPEG") + zipped()),
    HostileFile("JPEG with PHP in its comment", "photo.php.jpg", lambda: with_comment(b"<?php system('id'); ?>")),
    HostileFile("PNG with HTML in its text", "photo.png", lambda: png_with(b"tEXt", b"Comment\0" + HTML)),
    HostileFile("GIF that is JavaScript too", "photo.gif", lambda: b"GIF89a/*" + saved(photo("P"), "GIF")[8:] + b"*/"),
)  # fmt: skip
NOTES = (
    HostileFile("JPEG with 60 kB of EXIF", "photo.jpg", lambda: saved(photo(), "JPEG", exif=exif(t270="x" * 60_000))),
    HostileFile("PNG with 1 MB of EXIF", "photo.png", lambda: saved(photo(), "PNG", exif=exif(t270="x" * 1_000_000))),
    HostileFile("JPEG whose EXIF is noise", "photo.jpg", lambda: saved(photo(), "JPEG", exif=EXIF_NOISE)),
    HostileFile("JPEG turned in a way that does not exist", "photo.jpg", lambda: turned(99)),
    HostileFile("JPEG turned by 90°", "photo.jpg", lambda: turned(6)),
    HostileFile("JPEG with 1 MB of ICC profile", "photo.jpg", lambda: saved(photo(), "JPEG", icc_profile=MILLION)),
    HostileFile("PNG whose ICC profile is noise", "photo.png", lambda: saved(photo(), "PNG", icc_profile=noise(9_000))),
    HostileFile("TIFF with NaN among its tags", "photo.tif", odd_tags),
)  # fmt: skip
KINDS = (
    HostileFile("CMYK JPEG", "photo.jpg", lambda: saved(photo("CMYK"), "JPEG")),
    HostileFile("CMYK TIFF", "photo.tif", lambda: saved(photo("CMYK"), "TIFF")),
    HostileFile("LAB TIFF", "photo.tif", lambda: saved(photo("LAB"), "TIFF")),
    HostileFile("16-bit grey PNG", "photo.png", lambda: deep("I;16", "PNG")),
    HostileFile("16-bit grey TIFF", "photo.tif", lambda: deep("I;16", "TIFF")),
    HostileFile("32-bit grey TIFF", "photo.tif", lambda: deep("I", "TIFF")),
    HostileFile("float TIFF, 0 to 1", "photo.tif", floats),
    HostileFile("float TIFF with NaN", "photo.tif", lambda: floats(float("nan"))),
    HostileFile("float TIFF with infinity", "photo.tif", lambda: floats(float("inf"))),
    HostileFile("float TIFF below 0", "photo.tif", lambda: floats(-3.0)),
    HostileFile("TIFF of three pages", "photo.tif", pages),
    HostileFile("TIFF of 12 bands", "photo.tif", lambda: tiff_of(*SIZE_WH, bands=12, data=PIXELS * 12)),
    HostileFile("HEIC", "photo.heic", heic),
    HostileFile("HEIC, named JPEG", "photo.jpg", heic),
    HostileFile("HEIC of a header and no more", "photo.heic", lambda: HEIC_HEADER),
    HostileFile("AVIF", "photo.avif", lambda: saved(photo(), "AVIF")),
    HostileFile("JPEG 2000", "photo.jp2", lambda: saved(photo(), "JPEG2000")),
    HostileFile("animated GIF", "photo.gif", lambda: animated("GIF")),
    HostileFile("animated PNG", "photo.png", lambda: animated("PNG")),
    HostileFile("animated WebP", "photo.webp", lambda: animated("WEBP")),
    HostileFile("1-bit PNG", "photo.png", lambda: saved(photo("1"), "PNG")),
    HostileFile("wholly transparent PNG", "photo.png", lambda: saved(Image.new("RGBA", SIZE_WH), "PNG")),
    HostileFile("one pixel", "photo.png", lambda: saved(photo(size_wh=(1, 1)), "PNG")),
    HostileFile("one pixel high, 3000 wide", "photo.png", lambda: saved(photo(size_wh=(3000, 1)), "PNG")),
    HostileFile("one pixel wide, 3000 high", "photo.png", lambda: saved(photo(size_wh=(1, 3000)), "PNG")),
)  # fmt: skip
NAMES = (
    HostileFile("name in Cyrillic with an emoji", "фото 📷.png", lambda: saved(photo(), "PNG")),
    HostileFile("name that is written backwards", "photo\u202egnp.exe", lambda: saved(photo(), "PNG")),
    HostileFile("name of 240 letters", "a" * 236 + ".png", lambda: saved(photo(), "PNG")),
    HostileFile("name of HTML, no picture", "<img src=x onerror=alert(1)>.png", lambda: b"no picture"),
    HostileFile("name with a line break, no picture", "photo\nsecond line.png", lambda: b"no picture"),
    HostileFile("name with quotes and semicolons", "a'; rm -rf \"$HOME\".png", lambda: saved(photo(), "PNG")),
    HostileFile("name of a Windows device", "CON.png", lambda: saved(photo(), "PNG")),
    HostileFile("name of dots", "....png", lambda: saved(photo(), "PNG")),
)  # fmt: skip

PICTURES = {
    "Decompression bombs": BOMBS,
    "Truncated and damaged": TRUNCATED,
    "Other files with a picture's name, two files in one": DISGUISED,
    "Camera notes and colour profiles": NOTES,
    "Odd kinds of pictures": KINDS,
    "Names": NAMES,
}
"""All of them in their groups."""
