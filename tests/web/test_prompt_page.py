"""*Point and box* as a person uses it, in a real browser, by mouse, keys and touch."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import at, bring, click, drag, objects_pointed_at, open_pad, open_tab

Visit = Callable[..., Page]


def test_a_click_shows_a_mask_and_three_to_choose_from(pad: Page, fake_app: FakeApp) -> None:
    click(pad, 0.5, 0.5)
    expect(pad.locator(".pad-layer")).to_be_visible()
    choices = pad.locator("#prompt-candidates label:has(input)")
    expect(choices).to_have_count(3)
    expect(choices.nth(1)).to_contain_text("IoU 0.93")
    expect(choices.nth(1).locator("input")).to_be_checked()
    assert fake_app.script.asked == (("given", 3),)
    before = pad.locator(".pad-layer").get_attribute("src")
    choices.nth(2).click()
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("0.52")
    assert before
    expect(pad.locator(".pad-layer")).not_to_have_attribute("src", before)


def test_the_photo_is_encoded_once_for_points_boxes_and_segment_everything(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    click(page, 0.3, 0.3)
    expect(page.locator("#prompt-numbers")).to_contain_text("encoded once, just now")
    drag(page, (0.5, 0.2), (0.9, 0.8))
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-numbers")).to_contain_text("encoded once, before")
    expect(page.locator("#prompt-candidates")).to_have_count(0)
    page.get_by_role("tab", name="Segment everything").click()
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    assert fake_app.script.encoded == 1


def test_points_beside_an_object_by_mode_shift_and_right_button(pad: Page) -> None:
    click(pad, 0.5, 0.5)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    click(pad, 0.2, 0.2, button="right")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("2 points")
    pad.keyboard.down("Shift")
    click(pad, 0.8, 0.2)
    pad.keyboard.up("Shift")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("3 points")
    pad.locator("#prompt-mode").get_by_label("Beside it").check()
    click(pad, 0.8, 0.8)
    expect(pad.locator(".pad-dot.beside")).to_have_count(3)
    expect(pad.locator(".pad-dot.on")).to_have_count(1)


def test_undo_remove_new_and_clear(pad: Page) -> None:
    click(pad, 0.3, 0.3)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    pad.locator("#prompt-new").click()
    expect(pad.locator("#prompt-object label:has(input)")).to_have_count(2)
    click(pad, 0.7, 0.7)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    colours = pad.locator("#prompt-numbers tbody i").evaluate_all("all => all.map(i => i.style.background)")
    assert len(set(colours)) == 2
    pad.locator("#prompt-object label:has(input)").first.click()
    expect(pad.locator(".pad-dot.active")).to_have_count(1)
    pad.locator("#prompt-remove").click()
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    pad.locator("#prompt-undo").click()
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    pad.locator("#prompt-clear").click()
    expect(pad.locator("#prompt-numbers .idle")).to_be_visible()
    expect(pad.locator(".pad-layer")).to_be_hidden()
    expect(pad.locator(".pad-dot")).to_have_count(0)


def test_everything_can_be_done_with_keys(pad: Page) -> None:
    pad.locator(".pad").focus()
    for _ in range(5):
        pad.keyboard.press("ArrowRight")
    pad.keyboard.press("Shift+ArrowUp")
    expect(pad.locator(".pad-aloud")).to_contain_text("60 % from the left")
    pad.keyboard.press("Enter")
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    pad.keyboard.press("b")
    for _ in range(6):
        pad.keyboard.press("ArrowDown")
        pad.keyboard.press("ArrowRight")
    expect(pad.locator(".pad-box.drawing")).to_be_visible()
    pad.keyboard.press("b")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("a box")
    pad.keyboard.press("u")
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    pad.keyboard.press("n")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("2 points")
    pad.keyboard.press("b")
    pad.keyboard.press("Escape")
    expect(pad.locator(".pad-box")).to_have_count(0)


def test_places_can_be_typed_and_masks_chosen_without_a_pointer(pad: Page, photo: Path) -> None:
    pad.get_by_role("button", name="By number or keys").press("Enter")
    typed = pad.get_by_label("Place in pixels of the photo")
    typed.fill("160, 100")
    typed.press("Enter")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    dot = pad.locator(".pad-dot.active")
    with Image.open(photo) as image:
        width, height = image.size
    assert dot.evaluate("dot => [parseFloat(dot.style.left), parseFloat(dot.style.top)]") == pytest.approx(
        [100 * 160.5 / width, 100 * 100.5 / height], abs=0.1
    )
    choices = pad.locator("#prompt-candidates input")
    choices.nth(1).focus()
    pad.keyboard.press("ArrowRight")
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("0.52")
    typed.fill("20 30 200 150")
    pad.get_by_role("button", name="Place", exact=True).press("Enter")
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("a box")
    typed.fill("4000, 3")
    typed.press("Enter")
    expect(pad.locator("#prompt-numbers .problem")).to_contain_text(
        f"(4000, 3) lies outside the photo of {width} x {height}"
    )
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    pad.locator("#prompt-undo").press("Enter")
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)


def test_the_pixel_under_the_cursor_is_told_and_the_keys_are_seen_with_the_focus(pad: Page, photo: Path) -> None:
    with Image.open(photo) as image:
        width, height = image.size
    of = f"of {width} × {height} pixels"
    tip = pad.locator(".pad-tip")
    pad.mouse.move(*at(pad, 0.25, 0.75))
    expect(tip).to_have_text(re.compile(rf"{round(width / 4)}|{round(width / 4) - 1}, .* {of}"))
    pad.mouse.move(2, 2)
    expect(tip).to_be_hidden()
    expect(pad.locator(".pad-keys")).to_be_hidden()
    pad.keyboard.press("Tab")
    pad.locator(".pad").focus()
    expect(pad.locator(".pad-keys")).to_be_visible()
    pad.keyboard.press("ArrowRight")
    expect(tip).to_have_text(f"{int(0.52 * width)}, {height // 2} {of}")


def test_undo_and_another_mode_give_up_the_corner_that_waits_for_its_opposite(pad: Page) -> None:
    click(pad, 0.5, 0.5)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    drawing = pad.locator(".pad-box.drawing")
    for give_up in (
        pad.locator("#prompt-undo").click,
        pad.locator("#prompt-mode").get_by_label("Beside it").check,
    ):
        pad.locator("#prompt-mode").get_by_label("Box").check()
        click(pad, 0.2, 0.2)
        pad.mouse.move(*at(pad, 0.6, 0.6))
        expect(drawing).to_be_visible()
        give_up()
        expect(drawing).to_have_count(0)
    pad.wait_for_timeout(300)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)  # and nothing else
    click(pad, 0.8, 0.8)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("2 points")


def test_objects_are_limited(pad: Page) -> None:
    pad.locator(".pad").evaluate("pad => { for (let i = 0; i < 41; i++) pad.act('box', [0.1, 0.1, 0.5, 0.5]); }")
    expect(pad.locator("#prompt-numbers .problem")).to_contain_text("at most 40 objects here; remove one")
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(40)
    pad.locator("#prompt-undo").click()
    expect(pad.locator("#prompt-numbers .problem")).to_have_count(0)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(39)


def test_two_visitors_never_see_each_others_clicks(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    ann, bob = visit(fake_app.address), visit(fake_app.address)
    for page in (ann, bob):
        open_pad(page, photo)
    click(ann, 0.3, 0.3)
    drag(bob, (0.1, 0.1), (0.6, 0.6))
    expect(bob.locator("#prompt-numbers tbody")).to_contain_text("a box")
    expect(ann.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    assert [len(objects_pointed_at(page)) for page in (ann, bob)] == [1, 1]
    bob.locator("#prompt-clear").click()
    expect(bob.locator("#prompt-numbers .idle")).to_be_visible()
    click(ann, 0.6, 0.6)
    expect(ann.locator("#prompt-numbers tbody")).to_contain_text("2 points")


def test_another_photo_begins_anew_and_what_is_wrong_is_said(
    fake_app: FakeApp, visit: Visit, photo: Path, tmp_path: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    click(page, 0.3, 0.3)
    expect(page.locator(".pad-layer")).to_be_visible()
    fake_app.script.pause = 1.0
    click(page, 0.6, 0.6)
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator("#prompt-numbers .idle")).to_be_visible()
    page.wait_for_timeout(1500)  # until the answer about the photo before would have come
    fake_app.script.pause = 0.0
    expect(page.locator("#prompt-numbers .idle")).to_be_visible()
    expect(page.locator(".pad-dot")).to_have_count(0)
    expect(page.locator(".pad-layer")).to_be_hidden()
    page.get_by_label("Beside it").check()
    click(page, 0.5, 0.5)
    expect(page.locator("#prompt-numbers")).to_contain_text("add one on it")
    fake_app.script.error = RuntimeError("a secret")
    page.locator("#prompt-mode").get_by_label("On it").check()
    click(page, 0.4, 0.4)
    expect(page.locator("#prompt-numbers .problem")).to_contain_text("Something went wrong on our side")
    expect(page.locator(".pad-dot.pending")).to_have_count(0)


def test_a_photo_that_browsers_do_not_show_can_be_pointed_at(fake_app: FakeApp, visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    Image.fromarray(np.full((60, 90, 3), 80, dtype=np.uint8)).save(path)
    page = visit(fake_app.address)
    page.set_input_files("#photo input[type=file]", str(path))
    open_tab(page, "Point and box")
    expect(page.locator(".pad-photo")).to_have_js_property("naturalWidth", 90)
    click(page, 0.5, 0.5)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)


def test_what_is_no_picture_is_said_and_no_torn_one_is_shown(fake_app: FakeApp, visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_text("no picture at all")
    page = visit(fake_app.address)
    open_tab(page, "Point and box")
    page.set_input_files("#photo input[type=file]", str(path))
    problem = page.locator("#prompt-numbers .problem")
    expect(problem).to_contain_text("photo.png")
    expect(page.locator(".pad-picture")).to_be_hidden()
    page.wait_for_timeout(800)  # nor does what clears the page come later
    expect(problem).to_be_visible()


def test_a_photo_that_was_taken_away_does_not_come_back(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    click(page, 0.5, 0.5)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
    before = page.locator(".pad-photo").get_attribute("src")
    assert before
    bring(page, "paste", other_photo)
    expect(page.locator(".pad-photo")).not_to_have_attribute("src", before)
    page.get_by_label("Remove Image").click()
    expect(page.locator(".pad-picture")).to_be_hidden()
    open_tab(page, "Segment everything")
    open_tab(page, "Point and box")
    page.wait_for_timeout(800)
    expect(page.locator(".pad-picture")).to_be_hidden()
    page.locator("#prompt-new").click()
    expect(page.locator("#prompt-numbers .problem")).to_contain_text("no photo yet")
    expect(page.locator(".pad-picture")).to_be_hidden()
    expect(page.locator(".pad-dot")).to_have_count(0)


def test_masks_of_objects_can_be_downloaded(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    page.get_by_text("Take it with you").last.click()
    page.locator("#prompt-download").click()
    expect(page.locator("#prompt-export-status .problem")).to_contain_text("point at an object first")
    click(page, 0.5, 0.5)
    drag(page, (0.1, 0.1), (0.4, 0.9))
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    with page.expect_download() as download:
        page.locator("#prompt-download").click()
    assert download.value.suggested_filename == "photo-masks.zip"
    with zipfile.ZipFile(download.value.path()) as packed:
        annotations = json.loads(packed.read("photo/coco.json"))["annotations"]
        assert len(annotations) == 2
        assert {"photo/masks/0002.png", "photo/cutouts/0001.png", "photo/label_map.png"} <= set(packed.namelist())
    expect(page.locator("#prompt-file .export-link")).to_contain_text("photo-masks.zip, ")


def test_what_segment_everything_shows_can_be_downloaded_after_its_filters(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    page.set_input_files("#photo input[type=file]", str(photo))
    page.locator("#photo img").wait_for()
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    page.locator("#min-iou input[type=number]").fill("0.8")
    page.locator("#min-iou input[type=number]").press("Tab")
    expect(page.locator("#segment-numbers .facts")).not_to_contain_text("12masks")
    page.locator("#segment-take > button").click()
    for name in ("Masks", "Cut-outs", "Label map", "Overlay"):
        page.locator("#segment-formats").get_by_label(name).uncheck()
    with page.expect_download() as download:
        page.locator("#segment-download").click()
    assert download.value.suggested_filename == "photo-coco.json"
    annotations = json.loads(Path(download.value.path()).read_text())["annotations"]
    assert 0 < len(annotations) < 12
    assert all(annotation["predicted_iou"] >= 0.8 for annotation in annotations)
