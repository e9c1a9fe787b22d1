"""Runs that are stopped at awkward moments, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import begin, click, click_once_enabled, open_pad, open_tab, until, upload

Visit = Callable[..., Page]


SLOW_LINE = """{
    const plain = window.fetch;
    window.held = 0; // requests that take their time
    window.fetch = async (resource, options) => {
        if (options?.method === "POST" && window.held > 0) {
            window.held -= 1;
            await new Promise(go => setTimeout(go, 1500));
        }
        return plain(resource, options);
    };
}"""
"""As many requests as `window.held` says reach the server late, as on a bad line: what follows overtakes them."""


def test_a_stop_counts_where_it_overtakes_the_run(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address, first=SLOW_LINE)
    upload(page, photo)
    page.evaluate("window.held = 1")
    page.locator("#segment-run").click()
    page.locator("#segment-cancel").click()
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    expect(page.locator("#segment-run")).to_be_enabled()
    page.wait_for_timeout(3000)
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    assert fake_app.script.started == 0

    fake_app.script.pause = 0.0
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("320masks")


def test_a_photo_that_overtakes_the_run_stops_it(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address, first=SLOW_LINE)
    upload(page, photo)
    page.evaluate("window.held = 1")
    page.locator("#segment-run").click()
    upload(page, other_photo)
    page.wait_for_timeout(3000)
    expect(page.locator("#segment-numbers .idle")).to_be_visible()
    expect(page.locator("#segment-run")).to_be_enabled()
    assert fake_app.script.started == fake_app.script.closed


def test_a_run_on_a_photo_that_is_removed_ends_and_the_photo_does_not_come_back(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.5, 320
    page = visit(fake_app.address)
    begin(page, photo)
    until(lambda: fake_app.script.started == 1)
    page.get_by_label("Clear", exact=True).or_(page.get_by_label("Remove Image")).first.click()
    until(lambda: fake_app.script.closed == 1)
    page.wait_for_timeout(500)
    expect(page.locator("#segment-stage .viewer.empty")).to_be_visible()
    expect(page.locator("#segment-numbers .idle")).to_be_visible()
    expect(page.locator("#segment-run")).to_be_enabled()


def test_the_buttons_are_right_when_the_next_run_follows_a_stop_at_once(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 1.5, 320  # what is under way is finished first
    page = visit(fake_app.address)
    begin(page, photo)
    until(lambda: fake_app.script.started == 1)
    page.locator("#segment-cancel").click()
    click_once_enabled(page, "#segment-run")
    until(lambda: fake_app.script.started == 2)
    page.wait_for_timeout(500)  # the first one has ended
    expect(page.locator("#segment-run")).to_be_disabled()
    expect(page.locator("#segment-cancel")).to_be_enabled()
    expect(page.locator("#segment-numbers progress")).to_be_visible()
    fake_app.script.pause = 0.0
    expect(page.locator("#segment-numbers .facts")).to_contain_text("320masks")
    expect(page.locator("#segment-run")).to_be_enabled()


def test_a_run_in_another_tab_ends_the_one_before_with_what_it_has(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.5, 320
    page = visit(fake_app.address)
    begin(page, photo)
    expect(page.locator("#segment-stage canvas.areas")).to_be_visible()
    open_tab(page, "Prompt budget")
    page.locator("#budget-run").click()
    until(lambda: fake_app.script.closed == 1)
    fake_app.script.pause = 0.0
    open_tab(page, "Segment everything")
    expect(page.locator("#segment-numbers .facts")).to_contain_text("of the photo covered")
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    expect(page.locator("#segment-run")).to_have_text("Decode the rest")
    expect(page.locator("#segment-run")).to_be_enabled()


def test_a_run_on_a_new_photo_keeps_its_numbers_however_long_the_stop_before_takes(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 1.5, 320
    page = visit(fake_app.address)
    begin(page, photo)
    page.set_input_files("#photo input[type=file]", str(other_photo))
    page.locator("#segment-numbers .idle").wait_for()
    fake_app.script.pause, fake_app.script.finds = 0.0, 3
    click_once_enabled(page, "#segment-run")
    expect(page.locator("#segment-numbers .facts")).to_contain_text("3masks")
    page.wait_for_timeout(1000)
    expect(page.locator("#segment-numbers .facts")).to_contain_text("3masks")


@pytest.mark.parametrize("busy_tab", ["Segment everything", "Point and box"])
def test_a_click_on_a_new_photo_counts_while_the_run_on_the_one_before_is_being_stopped(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path, busy_tab: str
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    fake_app.script.pause, fake_app.script.finds = 1.5, 320  # what is under way is finished first
    if busy_tab == "Point and box":
        click(page, 0.5, 0.5)
        page.locator("#prompt-numbers progress").wait_for()
    else:
        open_tab(page, busy_tab)
        page.locator("#segment-run").click()
        page.locator("#segment-numbers progress").wait_for()
        open_tab(page, "Point and box")
    page.set_input_files("#photo input[type=file]", str(other_photo))
    expect(page.locator(".pad-photo")).to_have_js_property("naturalWidth", 200)
    click(page, 0.5, 0.5)
    expect(page.locator(".pad-layer")).to_be_visible(timeout=20_000)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
    expect(page.locator("#prompt-numbers progress")).to_have_count(0)
    page.wait_for_timeout(1000)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
    open_tab(page, "Segment everything")  # where nothing of the photo before is left
    expect(page.locator("#segment-numbers .idle")).to_be_visible()
    expect(page.locator("#segment-run")).to_be_enabled()
