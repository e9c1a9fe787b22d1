"""The page for programs: named endpoints through `gradio_client`, with defaults, and in sentences where it fails."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from .conftest import FakeApp


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Client]]:
    clients: dict[str, Client] = {}

    def client_for(address: str) -> Client:
        if address not in clients:
            downloads = tmp_path_factory.mktemp("downloads")
            clients[address] = Client(
                address, verbose=False, download_files=str(downloads), analytics_enabled=False
            )
        return clients[address]

    yield client_for
    for client in clients.values():
        client.close()


def test_the_real_app_segments_with_defaults(
    real_app: str, connect: Callable[[str], Client], photo: Path
) -> None:
    overlay, summary = connect(real_app).predict(handle_file(str(photo)), api_name="/segment")
    with Image.open(overlay) as drawn, Image.open(photo) as given:
        assert drawn.format == "PNG"
        assert drawn.size == given.size
    assert (summary["model"], summary["sampler"]) == ("nano", "object-aware")
    assert summary["prompts"] <= 320
    assert summary["masks"] == summary["masks_decoded"] == summary["prompts"]
    assert set(summary["seconds"]) == {"preprocess", "encode", "discover", "decode", "filter", "postprocess"}


def test_the_real_app_compares(real_app: str, connect: Callable[[str], Client], photo: Path) -> None:
    grid, aware, summary = connect(real_app).predict(
        handle_file(str(photo)), max_prompts=32, points_per_side=8, api_name="/compare"
    )
    with Image.open(grid) as left, Image.open(aware) as right:
        assert left.size == right.size
    assert summary["grid"]["prompts"] == 64
    assert summary["grid"]["masks_decoded"] == 192
    assert summary["object_aware"]["prompts"] <= 32
    assert summary["grid"]["seconds"]["encode"] == summary["object_aware"]["seconds"]["encode"] > 0
    assert summary["verdict"].endswith(".")


def test_every_parameter_after_the_photo_has_a_default_and_a_type(
    fake_app: FakeApp, connect: Callable[[str], Client]
) -> None:
    endpoints: dict[str, Any] = connect(fake_app.address).view_api(return_format="dict", print_info=False)
    named = endpoints["named_endpoints"]
    assert set(named) >= {"/segment", "/compare", "/budget"}
    assert not endpoints["unnamed_endpoints"]
    defaults = {
        path: {given["parameter_name"]: given["parameter_default"] for given in endpoint["parameters"][1:]}
        for path, endpoint in named.items()
    }
    assert defaults == {
        "/segment": {"sampler": "object-aware", "max_prompts": 320, "model": "nano"},
        "/compare": {
            "max_prompts": 320,
            "points_per_side": 8,
            "model": "nano",
            "draw_prompts": False,
            "left": "grid",
            "right": "object-aware",
        },
        "/budget": {"largest": 1024, "model": "nano"},
    }
    for endpoint in named.values():
        photo, *others = endpoint["parameters"]
        assert (photo["parameter_name"], photo["parameter_has_default"]) == ("photo", False)
        assert all(given["parameter_has_default"] and given["python_type"]["type"] for given in others)


def test_prompts_are_drawn_where_asked(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path
) -> None:
    client = connect(fake_app.address)
    plain, drawn = (
        client.predict(handle_file(str(photo)), draw_prompts=asked, api_name="/compare")[1]
        for asked in (False, True)
    )
    assert Path(plain).read_bytes() != Path(drawn).read_bytes()


def test_a_grid_takes_the_largest_square_that_fits(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path
) -> None:
    _, summary = connect(fake_app.address).predict(
        handle_file(str(photo)), sampler="grid", max_prompts=30, api_name="/segment"
    )
    assert summary["prompts"] == 25


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares its size and then ends."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


BAD_FILES = {
    "not-a-picture.png": b"this is no picture",
    "zero-bytes.jpg": b"",
    "huge.png": png_header(30_000, 30_000),
    "truncated.png": png_header(64, 64),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_used_gives_one_sentence_that_names_it(
    fake_app: FakeApp, connect: Callable[[str], Client], tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(BAD_FILES[name])
    with pytest.raises(AppError) as refused:
        connect(fake_app.address).predict(handle_file(str(path)), api_name="/segment")
    said = str(refused.value)
    assert name in said
    assert "Traceback" not in said
    assert "\n" not in said
    assert fake_app.script.started == 0


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16", "1"])
def test_pictures_of_every_kind_are_segmented(
    fake_app: FakeApp, connect: Callable[[str], Client], tmp_path: Path, mode: str
) -> None:
    values = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    picture = (
        Image.fromarray(values * 20)
        if mode == "I;16"
        else Image.fromarray(values.astype(np.uint8)).convert(mode)
    )
    path = tmp_path / f"picture.{'tif' if mode == 'CMYK' else 'png'}"
    picture.save(path)
    _, summary = connect(fake_app.address).predict(handle_file(str(path)), api_name="/segment")
    assert summary["picture_size"] == [64, 48]


def test_a_file_that_was_not_uploaded_cannot_be_read(
    fake_app: FakeApp, connect: Callable[[str], Client]
) -> None:
    mine = {"path": str(Path(__file__).resolve()), "meta": {"_type": "gradio.FileData"}}
    with pytest.raises(AppError):
        connect(fake_app.address).predict(mine, api_name="/segment")
    assert fake_app.script.started == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampler": "no such sampler"},
        {"max_prompts": 100_000},
        {"max_prompts": 0},
        {"model": "no-such-model"},
    ],
)
def test_values_that_the_page_does_not_offer_are_refused(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path, wrong: dict[str, Any]
) -> None:
    with pytest.raises(AppError) as refused:
        connect(fake_app.address).predict(handle_file(str(photo)), **wrong, api_name="/segment")
    assert str(next(iter(wrong.values()))) in str(refused.value)


def test_an_unexpected_error_is_told_in_plain_words_without_its_details(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path
) -> None:
    fake_app.script.error = RuntimeError("secret detail")
    with pytest.raises(AppError, match="Something went wrong on our side") as refused:
        connect(fake_app.address).predict(handle_file(str(photo)), api_name="/segment")
    assert "secret" not in str(refused.value)
