"""What visitors call their photos, in files that the page hands out."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.tiny import picture

from .conftest import FakeApp
from .person import open_tab, segment
from .test_uploads import ODD


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
