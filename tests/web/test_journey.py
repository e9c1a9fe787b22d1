"""What a visitor does from beginning to end, on the real app with the embedded model, at two widths."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from .conftest import DESKTOP
from .person import choose, click, drag, open_pad, open_tab, segment, set_slider, until, upload

Visit = Callable[..., Page]
SMALL_PHONE = (360, 780)
sizes = pytest.mark.parametrize("size", [DESKTOP, SMALL_PHONE], ids=["1280", "360"])
NATURAL_SIZE = "image => [image.naturalWidth, image.naturalHeight]"
SHOWN = "images => images.every(image => image.complete && image.naturalWidth > 0)"


def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@sizes
def test_everything_is_segmented_looked_at_and_taken_away(
    real_app: str, visit: Visit, photo: Path, size: tuple[int, int]
) -> None:
    page = visit(real_app, size)
    rows, numbers = page.locator("#segment-table tbody tr"), page.locator("#segment-numbers")
    expect(numbers).to_contain_text("This is an example")  # before anything is asked
    overlay = page.locator("#segment-stage img")
    expect(overlay).to_be_visible()
    assert rows.count() > 0
    assert fits(page)
    expect(page.locator("#running")).to_contain_text("CPU")
    segment(page, photo)
    for word in ("mask", "prompts asked", "encode", "decode", "CPU"):
        expect(numbers).to_contain_text(word)
    expect(page.locator("#segment-stage canvas.areas")).to_be_visible()
    with Image.open(photo) as given:
        assert overlay.evaluate(NATURAL_SIZE) == list(given.size)
    found = rows.count()
    assert found > 3
    rows.first.locator("button").click()
    card = page.locator("#segment-stage .card")
    for words in ("Mask", "Area", "Box", "Predicted IoU", "Stability", "confidence"):
        expect(card).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    if size == DESKTOP:  # phones have no room for the table's head
        page.locator("#segment-table th button", has_text="Area").click()
        expect(page.locator("#segment-table th", has_text="Area")).to_have_attribute("aria-sort", "descending")
    set_slider(page, "prompts", "16")
    expect(numbers).to_contain_text("Answered at once" if found > 16 else "all are decoded")
    until(lambda: rows.count() <= min(16, found))
    ious = sorted(float(cell) for cell in rows.locator("td:nth-child(5)").all_inner_texts())
    set_slider(page, "min-iou", str(ious[len(ious) // 2]))
    until(lambda: 0 < rows.count() < len(ious))
    page.get_by_label("One mask per pixel").check()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("covered")
    page.get_by_label("Cut-out").check()
    expect(page.locator("#segment-stage canvas.veil")).to_be_visible()
    page.locator("#segment-take > button").click()
    kept = rows.count()
    with page.expect_download() as download:
        page.locator("#segment-download").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        names = packed.namelist()
        assert len(json.loads(packed.read("photo/coco.json"))["annotations"]) == kept
        assert sum(name.startswith("photo/masks/") for name in names) == kept
        with Image.open(photo) as given, packed.open("photo/label_map.png") as labels:
            assert Image.open(labels).size == given.size
    assert fits(page)


@sizes
def test_samplers_are_compared_and_every_view_is_looked_at(
    real_app: str, visit: Visit, photo: Path, size: tuple[int, int]
) -> None:
    page = visit(real_app, size)
    upload(page, photo)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Grid 8 × 8")
    choose(page, "#compare-right", "Object-aware 64")
    page.locator("#compare-run").click()
    expect(page.locator("#compare-numbers .verdict")).to_contain_text("photo")
    table = page.locator("#compare-numbers table")
    expect(table).to_contain_text("Object-aware 64")
    expect(table.locator("tbody tr").first).to_contain_text("64192")
    for name in ("Left", "Right", "Found by one", "Both"):
        page.get_by_role("radio", name=name).check()
        until(lambda: bool(page.locator(".duel-frame img:visible").evaluate_all(SHOWN)))
    page.get_by_label("Draw the prompts").check()
    expect(page.locator(".duel .prompts").first).to_be_visible()
    split = page.get_by_role("slider", name="Where the left picture ends")
    split.focus()
    page.keyboard.press("Home")
    expect(split).to_have_attribute("aria-valuetext", "0 % Grid 8 × 8")
    expect(page.locator("#compare-details")).to_contain_text("one encoding")
    assert fits(page)


@sizes
def test_a_budget_is_measured_and_its_rest_cancelled(
    real_app: str, visit: Visit, photo: Path, size: tuple[int, int]
) -> None:
    page = visit(real_app, size)
    upload(page, photo)
    open_tab(page, "Prompt budget")
    page.locator("#budget-run").click()
    dots = page.locator("#budget-curves .chart").first.locator(".dot")
    until(lambda: dots.count() >= 2)
    page.locator("#budget-cancel").click()
    expect(page.locator("#budget-numbers")).to_contain_text("Cancelled")
    expect(page.locator("#budget-run")).to_be_enabled()
    assert page.locator("#budget-table table.grid tbody tr").count() >= 1
    assert fits(page)


@sizes
def test_objects_are_pointed_at_boxed_undone_and_taken_away(
    real_app: str, visit: Visit, photo: Path, size: tuple[int, int]
) -> None:
    page = visit(real_app, size)
    open_pad(page, photo)
    click(page, 0.45, 0.5)
    objects = page.locator("#prompt-numbers tbody tr")
    expect(objects).to_have_count(1)
    choices = page.locator("#prompt-candidates label:has(input)")
    expect(choices).to_have_count(3)
    before = page.locator(".pad-layer").get_attribute("src")
    page.locator("#prompt-candidates label:has(input:not(:checked))").first.click()
    until(lambda: page.locator(".pad-layer").get_attribute("src") != before)
    click(page, 0.1, 0.1, button="right")
    expect(objects).to_contain_text("2 points")
    drag(page, (0.2, 0.2), (0.8, 0.8))
    expect(objects).to_have_count(2)
    expect(page.locator("#prompt-numbers")).to_contain_text("encoded once, before")
    page.locator("#prompt-undo").click()
    expect(objects).to_have_count(1)
    page.get_by_text("Take it with you").last.click()
    with page.expect_download() as download:
        page.locator("#prompt-download").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        assert len(json.loads(packed.read("photo/coco.json"))["annotations"]) == 1
    assert fits(page)


@sizes
def test_several_photos_are_done_at_once(
    real_app: str, visit: Visit, photo: Path, other_photo: Path, size: tuple[int, int]
) -> None:
    page = visit(real_app, size)
    open_tab(page, "Several photos")
    page.set_input_files("#batch-photos input[type=file]", [str(photo), str(other_photo)])
    expect(page.locator("#batch-photos .file-preview tr.file")).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#batch-run").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        summary = json.loads(packed.read("summary.json"))
    assert [one["photo"] for one in summary["photos"]] == [photo.name, other_photo.name]
    expect(page.locator("#batch-gallery .thumbnail-lg")).to_have_count(2)
    assert fits(page)


@sizes
def test_two_visitors_segment_their_own_photos_at_once(
    real_app: str, visit: Visit, photo: Path, other_photo: Path, size: tuple[int, int]
) -> None:
    ann, bob = visit(real_app, size), visit(real_app, size)
    for page, path in ((ann, photo), (bob, other_photo)):
        upload(page, path)
    for page in (ann, bob):
        page.locator("#segment-run").click()
    for page, path in ((ann, photo), (bob, other_photo)):
        page.locator("#segment-numbers .facts").wait_for()
        with Image.open(path) as given:
            assert page.locator("#segment-stage img").evaluate(NATURAL_SIZE) == list(given.size)
        assert fits(page)
    expect(visit(real_app, size).locator("#segment-numbers")).to_contain_text("This is an example")


@sizes
def test_a_link_brings_settings_and_tab(real_app: str, visit: Visit, size: tuple[int, int]) -> None:
    page = visit(real_app, size)
    set_slider(page, "prompts", "64")
    open_tab(page, "Compare samplers")
    page.locator("#permalink").click()
    page.wait_for_url("**prompts=64**")
    other = visit(page.url, size)
    expect(other.locator("#compare-run")).to_be_visible()
    open_tab(other, "Segment everything")
    expect(other.locator("#prompts input[type=number]")).to_have_value("64")
