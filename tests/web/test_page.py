"""The page as a person uses it, in a real browser: on the real app with the embedded model, and on a fake one."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as TooLate

from .conftest import DESKTOP, FakeApp
from .person import begin, box_of, bring, click_once_enabled, segment, until, upload

Visit = Callable[..., Page]
NATURAL_SIZE = "image => [image.naturalWidth, image.naturalHeight]"


def test_everything_is_in_sight_at_once_on_a_desktop(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, DESKTOP)
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    seen = {
        name: box_of(page, name)
        for name in ("#photo", "#segment-stage", "#prompts", "#segment-run", "#segment-numbers")
    }
    for name, box in seen.items():
        assert box["y"] >= 0, name
        assert box["y"] + box["height"] <= DESKTOP[1], name
    largest = max(seen, key=lambda name: seen[name]["width"] * seen[name]["height"])
    assert largest == "#segment-stage"


@pytest.mark.parametrize("width", [360, 390])
def test_the_parts_follow_each_other_on_a_phone(fake_app: FakeApp, visit: Visit, photo: Path, width: int) -> None:
    page = visit(fake_app.address, (width, 800))
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    order = ["#photo", "#segment-stage", "#prompts", "#segment-run", "#segment-numbers"]
    tops = [box_of(page, name)["y"] for name in order]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_foot_of_the_page_hands_out_the_source(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    with page.expect_download() as download:
        page.evaluate(
            """() => { const link = document.querySelector("#colophon a"); link.removeAttribute("target");
            link.setAttribute("download", ""); link.click(); }"""
        )
    with zipfile.ZipFile(download.value.path()) as packed:
        assert "mobilesamv2-source/mobilesamv2/__init__.py" in packed.namelist()


def test_the_prompt_slider_says_what_it_asks(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    expect(page.locator("#prompts")).to_contain_text("at most 320 boxes")
    page.get_by_role("button", name="Advanced").click()
    page.get_by_label("Grid search").check()
    expect(page.locator("#prompts")).to_contain_text("17 × 17 = 289 points")
    page.locator("#prompts input[type=number]").fill("1024")
    page.locator("#prompts input[type=number]").press("Tab")
    expect(page.locator("#prompts")).to_contain_text("32 × 32 = 1024 points")


def test_examples_have_names_for_those_who_cannot_see_them(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    expect(page.get_by_role("button", name="Example: coffee")).to_be_visible()


def test_cancel_stops_the_work_and_another_run_can_follow(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address)
    upload(page, photo)
    expect(page.locator("#segment-cancel")).to_be_disabled()
    page.locator("#segment-run").click()
    until(lambda: fake_app.script.started == 1)
    page.locator("#segment-cancel").click()
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    until(lambda: fake_app.script.closed == 1)

    fake_app.script.pause = 0.0
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("320masks")
    expect(page.locator("#segment-cancel")).to_be_disabled()
    assert (fake_app.script.started, fake_app.script.closed) == (2, 1)


def test_the_very_next_click_after_a_stop_counts(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address)
    begin(page, photo)
    until(lambda: fake_app.script.started == 1)
    page.locator("#segment-cancel").evaluate("button => button.click()")
    click_once_enabled(page, "#segment-run")
    page.wait_for_timeout(500)  # what the stopped run tells of its end comes now
    expect(page.locator("#segment-cancel")).to_be_enabled()
    expect(page.locator("#segment-run")).to_be_disabled()
    fake_app.script.pause = 0.0
    expect(page.locator("#segment-numbers .facts")).to_contain_text("320masks")
    expect(page.locator("#segment-run")).to_be_enabled()
    assert fake_app.script.closed == 1


def test_a_cancelled_run_leaves_what_it_decoded_to_be_used(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address)
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-stage canvas.areas").wait_for()
    page.locator("#segment-cancel").click()
    numbers = page.locator("#segment-numbers")
    expect(numbers).to_contain_text("Cancelled. These are the ")
    expect(numbers).to_contain_text("Press Decode the rest for the others.")
    expect(page.locator("#segment-run")).to_have_text("Decode the rest")
    count = page.locator("#segment-table tbody tr").count()
    assert 16 <= count < 320
    expect(numbers.locator(".facts")).to_contain_text(f"{count}prompts asked")
    page.locator("#segment-table tbody tr button").first.click()
    expect(page.locator("#segment-stage .card")).to_be_visible()
    fake_app.script.pause = 0.0
    page.locator("#segment-run").click()
    expect(numbers.locator(".facts")).to_contain_text("320masks")
    assert [prompts for _, prompts in fake_app.script.asked] == [320 - count]


def test_a_grid_that_is_cancelled_leaves_nothing(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause = 0.3
    page = visit(fake_app.address + "?sampler=grid&prompts=400")
    expect(page.locator("#prompts")).to_contain_text("20 × 20 = 400 points")  # the link has been followed
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-stage canvas.areas").wait_for()
    page.locator("#segment-cancel").click()
    expect(page.locator("#segment-numbers .idle")).to_have_text("Cancelled.")
    expect(page.locator("#segment-stage .viewer.waiting")).to_be_visible()
    expect(page.locator("#segment-run")).to_have_text("Segment")


def test_nothing_is_left_in_the_browser(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    segment(page, photo)
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.context.cookies() == []


def test_another_photo_clears_the_result(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator("#segment-numbers .facts")).to_have_count(0)
    expect(page.locator("#segment-stage canvas.areas")).to_be_hidden()
    expect(page.locator("#segment-table tr")).to_have_count(0)


def test_another_photo_stops_a_run_and_leaving_does_too(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address)
    begin(page, photo)
    until(lambda: fake_app.script.started == 1)
    page.locator("#examples .gallery-item").first.click()
    until(lambda: fake_app.script.closed == 1)
    expect(page.locator("#segment-numbers .idle")).to_be_visible()
    expect(page.locator("#segment-run")).to_be_enabled()

    page.locator("#segment-run").click()
    until(lambda: fake_app.script.started == 2)
    page.close()
    until(lambda: fake_app.script.closed == 2)


def test_two_visitors_do_not_see_each_others_results(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    fake_app.script.pause = 0.02
    pages = [visit(fake_app.address), visit(fake_app.address)]
    for page, path in zip(pages, (photo, other_photo), strict=True):
        upload(page, path)
    for page in pages:
        page.locator("#segment-run").click()
    shapes = []
    for page in pages:
        page.locator("#segment-stage canvas.areas").wait_for()
        width, height = page.locator("#segment-stage canvas.areas").evaluate("c => [c.width, c.height]")
        shapes.append(width > height)
    assert shapes == [True, False]  # a photo that is wide, one that is tall
    assert visit(fake_app.address).locator("#segment-stage img").is_hidden()


def test_no_objects_give_a_hint_and_not_an_error(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.finds = 0
    page = visit(fake_app.address)
    upload(page, photo)
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers")).to_contain_text("try grid search")
    expect(page.locator("#segment-stage img")).to_be_visible()


def test_running_without_a_photo_says_what_to_do(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    page.locator("#segment-run").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#segment-numbers .problem")).to_contain_text("There is no photo yet")
    expect(page.locator("#segment-run")).to_be_enabled()
    expect(page.locator("#segment-run")).to_be_focused()
    expect(page.locator(".toast-wrap")).to_be_empty()  # one sentence, once


def test_a_file_that_is_no_picture_gives_a_sentence(fake_app: FakeApp, visit: Visit, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is no picture")
    page = visit(fake_app.address)
    page.set_input_files("#photo input[type=file]", str(broken))
    page.locator("#photo img").wait_for(state="attached")
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .problem")).to_contain_text("broken.png")
    expect(page.locator("#segment-run")).to_be_enabled()


def choose_model(page: Page, name: str) -> None:
    """Choose from the menu; again if it is written anew meanwhile, as when it is known whether the hub is there."""
    option = page.get_by_role("option", name=re.compile(f"^{name} "))
    for _ in range(4):
        page.locator("#model input").click()
        try:
            option.click(timeout=4000)
        except TooLate:
            page.keyboard.press("Escape")
        else:
            return
    raise AssertionError(f"{name} cannot be chosen")


def test_a_model_that_cannot_be_fetched_gives_a_sentence_and_the_embedded_one_goes_on(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    upload(page, photo)
    for name, answer, words in (
        ("mobilesam", ".problem", "could not be fetched"),
        ("nano", ".facts", "masks"),
    ):
        choose_model(page, name)
        page.locator("#segment-run").click()
        expect(page.locator(f"#segment-numbers {answer}")).to_contain_text(words)


def test_a_rotated_photo_is_upright_in_both_pictures(fake_app: FakeApp, visit: Visit, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side
    path = tmp_path / "rotated.jpg"
    Image.fromarray(np.full((100, 200, 3), 90, dtype=np.uint8)).save(path, exif=exif)
    page = visit(fake_app.address)
    upload(page, path)
    page.locator("#segment-run").click()
    page.locator("#segment-stage canvas.areas").wait_for()
    for picture in ("#photo img", "#segment-stage img"):
        until(lambda of=picture: page.locator(of).evaluate(NATURAL_SIZE) == [100, 200])  # type: ignore[misc]


def is_size(page: Page, size: list[int]) -> bool:
    return bool(page.locator("#photo img").evaluate(NATURAL_SIZE) == size)


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_photo_can_be_pasted_or_dropped_anywhere_also_over_another(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path, way: str
) -> None:
    page = visit(fake_app.address)
    for path in (photo, other_photo):
        bring(page, way, path)
        with Image.open(path) as given:
            size = list(given.size)
        page.locator("#photo img").wait_for()
        until(partial(is_size, page, size))


def test_a_model_arrives_with_its_progress_and_can_be_cancelled(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause = 0.3
    page = visit(fake_app.address)
    upload(page, photo)
    page.locator("#model input").click()
    page.get_by_role("option", name=re.compile("^mobilesam .* needs a network")).click()
    expect(page.locator("#model-note")).to_contain_text("nano comes with the program and works")
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers")).to_contain_text(re.compile(r"Fetching the model, \d.* MB of 41 MB"))
    page.locator("#segment-cancel").click()
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    assert fake_app.script.started == 0


def test_who_has_to_wait_is_told(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.6, 320
    first, second = visit(fake_app.address), visit(fake_app.address)
    for page in (first, second):
        upload(page, photo)
    first.locator("#segment-run").click()
    until(lambda: fake_app.script.started == 1)
    second.locator("#segment-run").click()
    expect(second.locator("#segment-numbers")).to_contain_text("Waiting for another run")
    second.locator("#segment-cancel").click()  # while waiting
    expect(second.locator("#segment-numbers")).to_contain_text("Cancelled")
    expect(second.locator("#segment-run")).to_be_enabled()
    assert fake_app.script.closed == 0
    second.locator("#segment-run").click()
    expect(second.locator("#segment-numbers")).to_contain_text("Waiting for another run")
    first.locator("#segment-cancel").click()
    expect(second.locator("#segment-numbers progress")).to_be_visible()
    second.locator("#segment-cancel").click()
