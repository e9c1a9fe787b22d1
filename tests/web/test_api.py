"""The page for programs: named endpoints through `gradio_client`, with defaults, and in sentences where it fails."""

from __future__ import annotations

import json
import re
import struct
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from mobilesamv2.export import FORMATS

from .conftest import FakeApp

MODEL = {"model": "nano", "detector": "own"}
LEFT_OUT = {
    "confidence": None,
    "predicted_iou": 0.0,
    "stability": 0.0,
    "min_area": 0.0,
    "mask_nms": 1.0,
    "hide_nested": False,
    "flatten": False,
    "clean": 0,
}
FILES = {"formats": list(FORMATS), "sampler": "object-aware", "max_prompts": 320} | MODEL


def test_every_parameter_after_the_photo_has_a_default_and_a_type(
    fake_app: FakeApp, connect: Callable[[str], Client]
) -> None:
    endpoints: dict[str, Any] = connect(fake_app.address).view_api(return_format="dict", print_info=False)
    named = endpoints["named_endpoints"]
    assert not endpoints["unnamed_endpoints"]
    defaults = {
        path: {given["parameter_name"]: given["parameter_default"] for given in endpoint["parameters"][1:]}
        for path, endpoint in named.items()
    }
    assert defaults == {
        "/segment": {"sampler": "object-aware", "max_prompts": 320} | MODEL | LEFT_OUT,
        "/compare": {
            "max_prompts": 320,
            "points_per_side": 8,
            "draw_prompts": False,
            "left": "grid",
            "right": "object-aware",
        }
        | MODEL,
        "/budget": {"largest": 1024} | MODEL | {"samplers": ["object-aware", "grid"]},
        "/predict_mask": {
            "points": None,
            "labels": None,
            "boxes": None,
            "multimask": False,
            "model": "nano",
        },
        "/export": FILES | {"name": ""},
        "/batch": FILES | {"names": None},
    }
    for path, endpoint in named.items():
        photo, *others = endpoint["parameters"]
        assert photo["parameter_name"] == ("photos" if path == "/batch" else "photo")
        assert not photo["parameter_has_default"]
        assert all(given["parameter_has_default"] and given["python_type"]["type"] for given in others)


@pytest.mark.parametrize(("detector", "boxes"), [("own", 12), ("fastsam-s", 2)])
def test_any_detector_of_the_menu_can_be_asked_for(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path, detector: str, boxes: int
) -> None:
    given, client = handle_file(str(photo)), connect(fake_app.address)
    asked = {"detector": detector, "model": "nano"}
    assert client.predict(given, **asked, api_name="/segment")[1]["prompts"] == boxes
    assert client.predict(given, left="grid:8", **asked, api_name="/compare")[2]["right"]["prompts"] == boxes
    assert client.predict(given, largest=32, **asked, api_name="/budget")["boxes_proposed"] == boxes
    assert client.predict(given, "coco", **asked, api_name="/export")[1]["masks"] == boxes
    assert client.predict([given], "coco", **asked, api_name="/batch")[1]["photos"][0]["masks"] == boxes


def test_prompts_are_drawn_where_asked(fake_app: FakeApp, connect: Callable[[str], Client], photo: Path) -> None:
    client = connect(fake_app.address)
    plain, drawn = (
        client.predict(handle_file(str(photo)), draw_prompts=asked, api_name="/compare")[1] for asked in (False, True)
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
    picture = Image.fromarray(values * 20) if mode == "I;16" else Image.fromarray(values.astype(np.uint8)).convert(mode)
    path = tmp_path / f"picture.{'tif' if mode == 'CMYK' else 'png'}"
    picture.save(path)
    _, summary = connect(fake_app.address).predict(handle_file(str(path)), api_name="/segment")
    assert summary["image"].items() >= {"width": 64, "height": 48}.items()


FILE = {"meta": {"_type": "gradio.FileData"}}


def told(address: str, endpoint: str, *given: Any) -> Any:
    """What an endpoint tells a program that knows nothing of Gradio, where it fails: `curl`, for one."""
    asking = f"{address}gradio_api/call{endpoint}"
    body = json.dumps({"data": given}).encode()
    asked = urllib.request.Request(asking, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{asking}/{event}", timeout=60) as answer:
        said = answer.read().decode()
    assert said.startswith("event: error")
    return json.loads(said.partition("data: ")[2])["error"]


@pytest.mark.parametrize(
    "path",
    [
        str(Path(__file__).resolve()),
        "/etc/passwd",
        "",
        "http://127.0.0.1:1/photo.png",
        "http://[",
        "\0",
        "a" * 5000,
    ],
)
def test_a_file_that_was_not_uploaded_or_cannot_be_fetched_is_refused_in_a_sentence(
    fake_app: FakeApp, path: str
) -> None:
    others = ["object-aware", 320, "nano", "own"]
    for said in (
        told(fake_app.address, "/segment", {"path": path} | FILE, *others, *LEFT_OUT.values()),
        told(fake_app.address, "/batch", [{"path": path} | FILE], ["coco"], *others, None),
    ):
        assert re.match(r"photos? must be a file that was uploaded; got ", said)
        assert said.endswith(".")
        assert len(said) < 200
    assert fake_app.script.started == 0


def test_a_file_on_the_server_cannot_be_read_by_leaving_out_what_marks_it_as_a_file(
    fake_app: FakeApp, photo: Path
) -> None:
    others = ["object-aware", 320, "nano", "own", *LEFT_OUT.values()]
    said = told(fake_app.address, "/segment", {"path": str(photo)}, *others)
    assert said.startswith("photo must be a file: ")
    assert fake_app.script.started == 0


@pytest.mark.parametrize(
    ("endpoint", "wrong", "said"),
    [
        ("/segment", {"sampler": "no such sampler"}, "sampler must be one of object-aware, grid"),
        ("/segment", {"sampler": 5}, "got 5"),
        (
            "/segment",
            {"max_prompts": 100_000},
            "max_prompts must be a whole number from 16 to 1024; got 100000",
        ),
        ("/segment", {"max_prompts": 0}, "got 0"),
        ("/segment", {"max_prompts": "many"}, "got 'many'"),
        ("/segment", {"max_prompts": [64]}, "got [64]"),
        ("/segment", {"max_prompts": 20.5}, "got 20.5"),
        ("/segment", {"max_prompts": True}, "got True"),
        ("/segment", {"confidence": 1.5}, "confidence must be a number from 0 to 1; got 1.5"),
        ("/segment", {"sampler": "grid", "confidence": 0.5}, "confidence is that of a detector"),
        ("/segment", {"min_area": -1}, "min_area must be a number from 0 to 100; got -1"),
        ("/segment", {"stability": "high"}, "stability must be a number from 0 to 1; got 'high'"),
        ("/segment", {"clean": 2.5}, "clean must be a whole number from 0 to 1000; got 2.5"),
        ("/segment", {"flatten": 1}, "flatten must be true or false; got 1"),
        ("/segment", {"model": "no-such-model"}, "model must be one of nano, mobilesam; got 'no-such-model'"),
        ("/segment", {"detector": "yolo"}, "detector must be one of own, fastsam-s; got 'yolo'"),
        ("/budget", {"detector": 3}, "detector must be one of own, fastsam-s; got 3"),
        ("/export", {"detector": ""}, "detector must be one of own, fastsam-s; got ''"),
        ("/compare", {"detector": "nano+fastsam-s"}, "got 'nano+fastsam-s'"),
        ("/compare", {"draw_prompts": "yes"}, "draw_prompts must be true or false; got 'yes'"),
        ("/compare", {"left": 5}, "left must be a text; got 5"),
        ("/predict_mask", {}, "Say where the object is"),
        ("/predict_mask", {"points": "here"}, "points must be a list of numbers; got 'here'"),
        ("/predict_mask", {"points": [[5000, 1]]}, "(5000, 1) lies outside the photo"),
        ("/predict_mask", {"boxes": [[5, 5, 1, 1]]}, "x1 right of x0"),
        ("/export", {"formats": "pdf"}, "There is no format 'pdf'"),
        ("/export", {"formats": []}, "Name at least one format"),
        ("/export", {"formats": 5}, "Formats are names"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence_that_names_it(
    fake_app: FakeApp,
    connect: Callable[[str], Client],
    photo: Path,
    endpoint: str,
    wrong: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(AppError) as refused:
        connect(fake_app.address).predict(handle_file(str(photo)), **wrong, api_name=endpoint)
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")
    assert fake_app.script.started == 0


@pytest.mark.parametrize("photo_given", ["photo.jpg", 5, {"no": "file"}])
def test_what_is_no_file_is_refused_in_a_sentence(
    fake_app: FakeApp, connect: Callable[[str], Client], photo_given: object
) -> None:
    with pytest.raises(AppError, match=r"photo must be a file|There is no photo yet"):
        connect(fake_app.address).predict(photo_given, api_name="/segment")


def test_a_value_that_is_null_is_the_default(fake_app: FakeApp, connect: Callable[[str], Client], photo: Path) -> None:
    _, summary = connect(fake_app.address).predict(
        handle_file(str(photo)), sampler=None, max_prompts=None, model=None, api_name="/segment"
    )
    assert (summary["sampler"], summary["model"]) == ("object-aware", "nano")


def test_several_photos_come_in_one_zip_and_a_bad_one_is_named(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    files = [handle_file(str(path)) for path in (photo, bad, photo)]
    file, summary = connect(fake_app.address).predict(files, formats=["masks"], api_name="/batch")
    assert [one["folder"] for one in summary["photos"]] == ["photo", "photo-2"]
    (failure,) = summary["failures"]
    assert failure["photo"] == "notes.txt"
    assert "notes.txt is not a picture" in failure["error"]
    with zipfile.ZipFile(file) as packed:
        assert {"photo/masks/0001.png", "photo-2/masks/0001.png", "summary.json"} <= set(packed.namelist())


@pytest.mark.parametrize("photos", [[], "photo.jpg", 5])
def test_no_photos_are_refused_in_a_sentence(
    fake_app: FakeApp, connect: Callable[[str], Client], photos: object
) -> None:
    with pytest.raises(AppError, match=r"photos must be a list of files|no photos yet"):
        connect(fake_app.address).predict(photos, api_name="/batch")


def test_an_unexpected_error_is_told_in_plain_words_without_its_details(
    fake_app: FakeApp, connect: Callable[[str], Client], photo: Path
) -> None:
    fake_app.script.error = RuntimeError("secret detail")
    with pytest.raises(AppError, match="Something went wrong on our side") as refused:
        connect(fake_app.address).predict(handle_file(str(photo)), api_name="/segment")
    assert "secret" not in str(refused.value)
