"""The link to the settings, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import open_tab

Visit = Callable[..., Page]


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_link_brings_the_settings_to_another_visitor(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(fake_app.address)
    page.locator("#permalink").click()
    assert query(page) == {}
    page.locator("#prompts input[type=number]").fill("64")
    page.locator("#prompts input[type=number]").press("Tab")
    page.get_by_label("Original").check()
    page.locator("#hide-nested input").check()
    open_tab(page, "Point and box")
    page.locator("#permalink").click()
    page.wait_for_url("**prompts=64**")
    assert query(page) == {"prompts": "64", "view": "original", "hide_nested": "true", "tab": "prompt"}

    other = visit(page.url)
    expect(other.locator("#prompt-mode")).to_be_visible()
    open_tab(other, "Segment everything")
    expect(other.locator("#prompts input[type=number]")).to_have_value("64")
    expect(other.locator("#hide-nested input")).to_be_checked()
    expect(other.get_by_label("Original")).to_be_checked()


def test_values_that_make_no_sense_are_left_out_with_a_sentence(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(f"{fake_app.address}?prompts=many&sampler=%3Cb%3Emagic&min_area=2")
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("prompts in the address must be a whole number from 16 to 1024")
    expect(toast).to_contain_text('sampler in the address must be one of object-aware, grid; "<b>magic"')
    expect(page.locator("#prompts input[type=number]")).to_have_value("320")
    expect(page.locator("#min-area input[type=number]")).to_have_value("2")
