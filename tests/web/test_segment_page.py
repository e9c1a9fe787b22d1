"""The picture area, the table and the filters as a person uses them, in a real browser on a fake model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE, FakeApp
from .person import begin, segment, set_slider, until, upload

Visit = Callable[..., Page]

PIXEL = """(canvas, [x, y]) => [...canvas.getContext("2d").getImageData(
    Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data]"""

SLOW_PICTURES = """
    const atOnce = window.createImageBitmap;
    window.createImageBitmap = async (...given) => {
        await new Promise(resolve => setTimeout(resolve, 2000));
        return atOnce(...given);
    };
"""
"""Masks are drawn two seconds after they have come."""


def facts(page: Page) -> str:
    return page.locator("#segment-numbers .facts").inner_text()


def rows(page: Page) -> Any:
    return page.locator("#segment-table tbody tr")


def numbers_in_table(page: Page, column: int) -> list[float]:
    cells = page.locator(f"#segment-table tbody tr td:nth-child({column})").all_inner_texts()
    return [float(re.sub(r"[^0-9.]", "", cell)) for cell in cells]


def click_on_a_mask(page: Page) -> None:
    """Click where the first row's mask is seen."""
    rows(page).first.hover()
    expect(page.locator("#segment-stage .tip")).to_be_visible()
    place = page.locator("#segment-stage canvas.focus").evaluate(
        """canvas => {
            const {width, height} = canvas;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            for (let at = 0; at < width * height; at++)
                if (data[4 * at + 3]) return [(at % width + 0.5) / width, (Math.floor(at / width) + 0.5) / height];
        }"""
    )
    frame = page.locator("#segment-stage .frame")
    box = frame.bounding_box()
    assert box is not None
    frame.click(position={"x": place[0] * box["width"], "y": place[1] * box["height"]})


def test_a_click_on_a_mask_shows_it_alone_and_escape_brings_the_others_back(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    card = page.locator("#segment-stage .card")
    expect(card).to_be_hidden()
    click_on_a_mask(page)
    expect(card).to_be_visible()
    for words in ("Mask 1", "Area", "Box", "Predicted IoU", "Stability", "Prompt", "confidence"):
        expect(card).to_contain_text(words)
    expect(page.locator("#segment-stage canvas.areas")).to_be_hidden()
    corner = page.locator("#segment-stage canvas.focus").evaluate(PIXEL, [0.001, 0.999])
    assert corner[3] > 150  # what is not the mask is dimmed
    page.locator("#segment-stage .viewer").focus()
    page.keyboard.press("ArrowRight")
    expect(card).to_contain_text("Mask 2")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
    expect(page.locator("#segment-stage canvas.areas")).to_be_visible()


def test_the_table_sorts_lights_masks_up_and_shows_one_alone_by_keyboard(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    expect(rows(page)).to_have_count(12)
    area = page.locator("#segment-table th button", has_text="Area")
    area.click()
    found = numbers_in_table(page, 2)
    assert found == sorted(found, reverse=True)
    area.click()
    assert numbers_in_table(page, 2) == sorted(found)
    expect(page.locator("#segment-table th", has_text="Area")).to_have_attribute("aria-sort", "ascending")
    rows(page).nth(3).hover()
    expect(rows(page).nth(3)).to_have_class(re.compile("looked"))
    expect(page.locator("#segment-stage .tip")).to_contain_text("of the photo")
    rows(page).nth(3).locator("button").press("Enter")
    expect(page.locator("#segment-stage .card")).to_contain_text("Prompt")


def test_the_table_can_be_used_before_its_masks_are_drawn(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, first=SLOW_PICTURES)
    segment(page, photo)
    stage = page.locator("#segment-stage")
    rows(page).nth(2).locator("button").press("Enter")
    expect(stage.locator(".card")).to_contain_text("Mask 3")
    page.get_by_label("One mask per pixel").check()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("of the photo covered")
    rows(page).nth(3).hover()
    expect(stage.locator(".card")).to_be_hidden()  # drawn anew
    expect(stage.locator(".tip")).to_contain_text("of the photo")
    expect(rows(page).nth(3)).to_have_class(re.compile("looked"))


def test_filters_answer_without_another_run(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    set_slider(page, "min-iou", "0.7")
    until(lambda: rows(page).count() < 12)
    expect(page.locator("#segment-numbers .facts")).to_contain_text("of 12 decoded")
    assert min(numbers_in_table(page, 5)) >= 0.7
    set_slider(page, "min-iou", "0")
    expect(rows(page)).to_have_count(12)
    page.get_by_label("One mask per pixel").check()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("of the photo covered")
    assert fake_app.script.started == 1


def test_the_slider_answers_fewer_prompts_at_once_and_offers_to_decode_the_rest(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.finds = 80
    page = visit(fake_app.address)
    set_slider(page, "prompts", "64")
    segment(page, photo)
    expect(rows(page)).to_have_count(64)
    set_slider(page, "prompts", "32")
    expect(rows(page)).to_have_count(32)
    expect(page.locator("#segment-numbers")).to_contain_text("Answered at once")
    assert fake_app.script.started == 1
    set_slider(page, "prompts", "320")
    expect(page.locator("#segment-run")).to_have_text("Decode the rest")
    page.locator("#segment-run").click()
    expect(rows(page)).to_have_count(80)
    expect(page.locator("#segment-run")).to_have_text("Segment")
    assert fake_app.script.asked == (("object-aware", 64), ("object-aware", 16))


def test_controls_that_were_moved_during_a_run_count_at_its_end(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.2, 40
    page = visit(fake_app.address)
    begin(page, photo)
    set_slider(page, "min-iou", "0.8")
    set_slider(page, "prompts", "32")
    expect(page.locator("#segment-run")).to_be_enabled()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("32prompts asked")
    ious = page.locator("#segment-table tbody tr td:nth-child(5)").all_inner_texts()
    assert 0 < len(ious) < 32
    assert min(map(float, ious)) >= 0.8


def test_a_larger_grid_is_offered_only_where_it_has_other_points(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address + "?sampler=grid&prompts=64")
    expect(page.locator("#prompts")).to_contain_text("8 × 8 = 64 points")  # the link has been followed
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    set_slider(page, "prompts", "80")  # 8 x 8, too
    expect(page.locator("#segment-numbers")).not_to_contain_text("Press")
    expect(page.locator("#segment-run")).to_have_text("Segment")
    set_slider(page, "prompts", "100")
    expect(page.locator("#segment-run")).to_have_text("Decode the larger grid")
    expect(page.locator("#segment-numbers")).to_contain_text("These are the 64 points of the decoded grid.")


def test_a_mask_chosen_in_the_table_is_brought_into_sight(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, PHONE)
    segment(page, photo)
    last = page.locator("#segment-table tbody tr button").last
    last.scroll_into_view_if_needed()
    last.click()
    expect(page.locator("#segment-stage .card")).to_be_visible()
    expect(page.locator("#segment-stage .frame")).to_be_in_viewport(ratio=0.9)
    expect(page.locator("#segment-stage .card")).to_be_in_viewport()


def test_filters_do_not_bring_the_photo_before_back(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    upload(page, other_photo)
    expect(page.locator("#segment-stage .viewer.waiting")).to_be_visible()
    set_slider(page, "min-iou", "0.5")
    page.wait_for_timeout(1000)
    expect(page.locator("#segment-stage .viewer.waiting")).to_be_visible()
    expect(page.locator("#segment-table tr")).to_have_count(0)


def test_the_dial_sets_the_rest_and_the_rest_sets_the_dial(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    page.get_by_label("Fast").check()
    expect(page.locator("#prompts input[type=number]")).to_have_value("64")
    set_slider(page, "prompts", "320")
    set_slider(page, "prompts", "336")
    expect(page.get_by_label("Balanced")).not_to_be_checked()
    page.get_by_label("Balanced").check()
    expect(page.locator("#prompts input[type=number]")).to_have_value("320")


def test_arrow_keys_turn_the_dial(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    page.get_by_label("Balanced").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Thorough")).to_be_checked()
    expect(page.get_by_label("Thorough")).to_be_focused()
    expect(page.locator("#prompts input[type=number]")).to_have_value("1024")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Fast")).to_be_checked()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_label("Balanced")).to_be_checked()
    expect(page.locator("#prompts input[type=number]")).to_have_value("320")


def test_views_and_opacity_change_at_once(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    stage = page.locator("#segment-stage")
    expect(stage.locator("canvas.areas")).to_have_css("opacity", "0.5")
    page.locator("#opacity input[type=range]").focus()
    page.keyboard.press("End")
    expect(stage.locator("canvas.areas")).to_have_css("opacity", "1")
    page.get_by_label("Original").check()
    expect(stage.locator("canvas.areas")).to_be_hidden()
    expect(stage.locator("img")).to_be_visible()
    page.get_by_label("Cut-out").check()
    expect(stage.locator("canvas.veil")).to_be_visible()
    assert stage.locator("canvas.veil").evaluate(PIXEL, [0.001, 0.999]) == [255, 255, 255, 255]
    assert fake_app.script.started == 1


def test_the_photo_is_on_the_stage_until_it_has_masks(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path, tmp_path: Path
) -> None:
    page = visit(fake_app.address)
    stage, areas = page.locator("#segment-stage img"), page.locator("#segment-stage canvas.areas")
    nothing = page.get_by_text("The masks appear here")
    expect(nothing).to_be_visible()
    for path in (photo, other_photo):
        upload(page, path)
        with Image.open(path) as image:
            size = list(image.size)
        until(lambda size=size: stage.evaluate("i => [i.naturalWidth, i.naturalHeight]") == size)  # type: ignore[misc]
        expect(nothing).to_be_hidden()
        expect(areas).to_be_hidden()
    page.locator("#segment-run").click()
    expect(areas).to_be_visible()
    unseen = tmp_path / "photo.tif"
    Image.open(photo).save(unseen)
    page.set_input_files("#photo input[type=file]", str(unseen))
    expect(nothing).to_be_visible()
    expect(stage).to_be_hidden()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_while_masks_come(fake_app: FakeApp, visit: Visit, photo: Path, size: tuple[int, int]) -> None:
    page = visit(fake_app.address, size)
    upload(page, photo)
    page.locator("#segment-stage .viewer.waiting").wait_for()
    page.evaluate(
        """() => {
            window.moved = 0;
            const add = list => list.getEntries().forEach(entry => (window.moved += entry.value));
            new PerformanceObserver(add).observe({type: "layout-shift"});
        }"""
    )
    page.locator("#segment-run").click()
    page.locator("#segment-table tbody tr").first.wait_for()
    expect(page.locator("#segment-stage canvas.areas")).to_be_visible()
    assert page.evaluate("window.moved") < 0.05  # 0.1 is what web vitals call good


def test_masks_appear_while_others_are_still_decoded(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.finds, fake_app.script.pause = 320, 0.3
    page = visit(fake_app.address)
    upload(page, photo)
    page.locator("#segment-run").click()
    expect(page.locator("#segment-stage canvas.areas")).to_be_visible()
    expect(page.locator("#segment-numbers progress")).to_be_visible()
    expect(page.locator("#segment-cancel")).to_be_focused()
    page.locator("#segment-cancel").click()
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    expect(page.locator("#segment-run")).to_be_focused()


def test_a_failed_run_leaves_nothing_old_beside_its_sentence(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("Grid search").check()
    fake_app.script.error = RuntimeError("secret")
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .problem")).to_contain_text("Something went wrong")
    expect(page.locator("#segment-stage canvas.areas")).to_be_hidden()
    expect(rows(page)).to_have_count(0)


def test_two_visitors_click_on_their_own_masks(fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path) -> None:
    ann, bob = visit(fake_app.address), visit(fake_app.address)
    segment(ann, photo)
    fake_app.script.finds = 3
    segment(bob, other_photo)
    click_on_a_mask(bob)
    expect(bob.locator("#segment-stage .card")).to_contain_text("Mask 1")
    expect(ann.locator("#segment-stage .card")).to_be_hidden()
    assert (rows(ann).count(), rows(bob).count()) == (12, 3)
    set_slider(bob, "min-iou", "0.99")
    expect(ann.locator("#segment-numbers .facts")).to_contain_text("12")
    click_on_a_mask(ann)
    expect(ann.locator("#segment-stage .card")).to_contain_text("Mask 1")
