"""*Several photos* as a person uses it, in a real browser."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import bring, click, open_pad, open_tab, until

Visit = Callable[..., Page]


def open_batch(page: Page, *photos: Path) -> None:
    open_tab(page, "Several photos")
    page.set_input_files("#batch-photos input[type=file]", [str(photo) for photo in photos])
    expect(page.locator("#batch-photos .file-preview tr.file")).to_have_count(len(photos))


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "notes.png"
    path.write_text("no picture")
    return path


def test_several_photos_come_with_a_gallery_and_one_zip_and_a_bad_one_is_named(
    fake_app: FakeApp, visit: Visit, photo: Path, bad: Path, other_photo: Path
) -> None:
    page = visit(fake_app.address)
    open_batch(page, photo, bad, other_photo)
    with page.expect_download() as download:
        page.locator("#batch-run").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        summary = json.loads(packed.read("summary.json"))
        assert {"photo/masks/0001.png", "other/cutouts/0001.png", "coco.json"} <= set(packed.namelist())
    assert [one["photo"] for one in summary["photos"]] == ["photo.jpg", "other.png"]
    expect(page.locator("#batch-gallery .thumbnail-lg")).to_have_count(2)
    expect(page.locator("#batch-gallery")).to_contain_text("photo.jpg: 12 masks")
    expect(page.locator("#batch-numbers .problem")).to_contain_text("notes.png is not a picture")
    expect(page.locator("#batch-numbers tbody tr")).to_have_count(2)
    expect(page.locator("#source")).to_be_hidden()


def test_files_that_all_fail_are_named_and_nothing_is_downloaded(fake_app: FakeApp, visit: Visit, bad: Path) -> None:
    page = visit(fake_app.address)
    downloads: list[object] = []
    page.on("download", lambda download: downloads.append(download))
    open_batch(page, bad)
    page.locator("#batch-run").click()
    expect(page.locator("#batch-numbers .problem")).to_contain_text("notes.png is not a picture")
    expect(page.locator("#batch-run")).to_be_enabled()
    expect(page.locator("#batch-numbers .facts")).to_have_count(0)
    expect(page.locator("#batch-file .export-link[href]")).to_have_count(0)
    assert downloads == []


def test_cancelling_stops_the_work_hands_out_what_is_done_and_still_names_what_failed(
    fake_app: FakeApp, visit: Visit, photo: Path, bad: Path, other_photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.1, 80
    page = visit(fake_app.address)
    open_batch(page, photo, bad, other_photo)
    page.locator("#batch-run").click()
    until(lambda: fake_app.script.started == 2)  # of the two photos that can be read
    fake_app.script.pause = 1.0  # ten of these until that photo is done
    expect(page.locator("#batch-numbers")).to_contain_text("Photo 3 of 3: other.png")
    with page.expect_download() as download:
        page.locator("#batch-cancel").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        assert {name.split("/")[0] for name in packed.namelist()} == {"photo", "coco.json", "summary.json"}
    expect(page.locator("#batch-numbers")).to_contain_text("holds the 1 photo that was done")
    expect(page.locator("#batch-numbers .problem")).to_contain_text("notes.png is not a picture")
    expect(page.locator("#batch-run")).to_be_enabled()
    # The run of the third photo was stopped, or before it began.
    assert fake_app.script.started == 1 + fake_app.script.closed


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_photos_can_be_pasted_or_dropped_anywhere(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path, wide_photo: Path, way: str
) -> None:
    page = visit(fake_app.address)
    open_tab(page, "Several photos")
    bring(page, way, photo, other_photo)
    files = page.locator("#batch-photos .file-preview tr.file")
    expect(files).to_have_count(2)
    bring(page, way, wide_photo)
    expect(files).to_have_count(3)
    expect(page.locator("#batch-photos .upload-container")).to_be_attached()
    open_tab(page, "Segment everything")
    expect(page.locator("#photo img")).to_have_count(0)


def test_no_photos_are_a_sentence(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    open_tab(page, "Several photos")
    page.locator("#batch-run").click()
    expect(page.locator("#batch-numbers .problem")).to_contain_text("choose some first")


def test_one_visitors_photos_are_not_anothers(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    ann, bob = visit(fake_app.address, (360, 780)), visit(fake_app.address)
    open_batch(ann, photo)
    open_tab(bob, "Several photos")
    with ann.expect_download():
        ann.locator("#batch-run").click()
    expect(ann.locator("#batch-gallery .thumbnail-lg")).to_have_count(1)
    assert ann.evaluate("document.documentElement.scrollWidth") <= 360
    assert bob.locator("#batch-gallery .thumbnail-lg").count() == 0
    assert bob.locator("#batch-file .export-link[href]").count() == 0


def test_a_click_of_another_visitor_is_answered_between_two_photos(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause = 0.5
    ann, bob = visit(fake_app.address), visit(fake_app.address)
    open_pad(bob, photo)
    open_batch(ann, *[photo] * 8)
    ann.locator("#batch-run").click()
    expect(ann.locator("#batch-numbers")).to_contain_text("Photo 1 of 8")
    click(bob, 0.5, 0.5)
    expect(bob.locator(".pad-layer")).to_be_visible()
    expect(ann.locator("#batch-numbers")).to_contain_text(" of 8: photo.jpg")
    ann.locator("#batch-cancel").click()
    expect(ann.locator("#batch-numbers")).to_contain_text("Cancelled")
    assert ("given", 3) in fake_app.script.asked
    until(lambda: fake_app.script.under_way == 0)
