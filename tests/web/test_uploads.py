"""What visitors call their photos."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio.data_classes import FileData, ImageData, ListFiles
from PIL import Image
from playwright.sync_api import Page, expect

from mobilesamv2.errors import InvalidImageError
from mobilesamv2.web.layout.parts import files_input, photo_input
from mobilesamv2.web.sessions import Session
from mobilesamv2.web.uploads import Upload, name_of, read_upload
from tests.tiny import picture

from .conftest import FakeApp
from .person import open_tab, segment

ODD = ("a:b.jpg", "a?b.jpg", "#1 <best> $5 *.jpg")


def test_a_path_knows_its_name_and_is_still_a_path() -> None:
    photo = Upload("/cache/1f/ab.jpg", "a:b.jpg")
    assert photo == "/cache/1f/ab.jpg"
    assert name_of(photo) == "a:b.jpg"
    again = pickle.loads(pickle.dumps(photo))
    assert (again, name_of(again)) == (photo, "a:b.jpg")


@pytest.mark.parametrize(
    ("path", "called", "expected"),
    [
        ("/cache/1f/ab.jpg", None, "ab.jpg"),
        ("/cache/1f/ab.jpg", "", "ab.jpg"),
        ("/cache/1f/passwd", "../../etc/passwd", "passwd"),
        ("/cache/1f/x.jpg", "x" * 5000, "x" * 255),
    ],
)
def test_a_name_has_no_folders_and_an_end(path: str, called: str | None, expected: str) -> None:
    assert name_of(Upload(path, called)) == expected


def test_no_photo_has_no_name_and_a_plain_path_its_own() -> None:
    assert name_of(None) == ""
    assert name_of("examples/cat.png") == "cat.png"


def test_inputs_of_photos_keep_the_visitors_name() -> None:
    assert name_of(photo_input().preprocess(ImageData(path="/c/ab.jpg", orig_name="a:b.jpg"))) == "a:b.jpg"
    files = ListFiles([FileData(path="/c/ab.jpg", orig_name=name) for name in ODD])
    assert [name_of(photo) for photo in files_input("photos").preprocess(files)] == list(ODD)
    assert files_input("photos").preprocess(None) == []


def test_a_photo_that_cannot_be_read_is_called_what_the_visitor_calls_it(tmp_path: Path) -> None:
    (tmp_path / "ab.jpg").write_bytes(b"no picture")
    photo = Upload(str(tmp_path / "ab.jpg"), "a:b.jpg")
    for read in (read_upload, Session().picture):
        with pytest.raises(InvalidImageError, match=r"^a:b\.jpg is not a picture"):
            read(photo)


@pytest.fixture
def odd_photos(tmp_path: Path) -> list[Path]:
    """Photos of names of which Gradio leaves characters out; the first two are the same picture."""
    for seed, name in zip((0, 0, 1), ODD, strict=True):
        Image.fromarray(picture(seed=seed)).save(tmp_path / name)
    return [tmp_path / name for name in ODD]


def test_data_sets_of_the_page_name_the_files_that_were_uploaded(
    fake_app: FakeApp, visit: Callable[..., Page], odd_photos: list[Path]
) -> None:
    page = visit(fake_app.address)
    segment(page, odd_photos[0])
    page.locator("#segment-take > button").click()
    with page.expect_download() as download:
        page.locator("#segment-download").click()
    assert download.value.suggested_filename == "a_b-masks.zip"
    with zipfile.ZipFile(download.value.path()) as packed:
        assert names_in(packed, "a_b/coco.json") == ["a:b.jpg"]

    open_tab(page, "Several photos")
    page.set_input_files("#batch-photos input[type=file]", [str(photo) for photo in odd_photos])
    expect(page.locator("#batch-photos .file-preview tr.file")).to_have_count(3)
    with page.expect_download() as download:
        page.locator("#batch-run").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        summary = json.loads(packed.read("summary.json"))
        assert [one["photo"] for one in summary["photos"]] == list(ODD)
        assert names_in(packed, "coco.json") == list(ODD)
        folders = [one["folder"] for one in summary["photos"]]
        assert folders == ["a_b", "a_b-2", "#1 _best_ $5 _"]
        assert [names_in(packed, f"{folder}/coco.json") for folder in folders] == [[name] for name in ODD]


def names_in(packed: zipfile.ZipFile, data_set: str) -> list[str]:
    """What the images of a COCO data set are called."""
    return [image["file_name"] for image in json.loads(packed.read(data_set))["images"]]
