"""The link to the settings, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Page, expect

from mobilesamv2.sampler_kinds import SAMPLERS
from mobilesamv2.web.layout.permalink import LINKED, TAB
from mobilesamv2.web.text.page import LINK_BUTTON

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


def test_every_setting_goes_through_a_link_and_back(fake_app: FakeApp, visit: Visit) -> None:
    given = {
        "detector": "fastsam-s",
        "sampler": "grid",
        "prompts": "64",
        "confidence": "0.25",
        "own_filters": "false",
        "min_area": "0.5",
        "min_iou": "0.6",
        "min_stability": "0.7",
        "mask_nms": "0.8",
        "clean": "40",
        "hide_nested": "true",
        "one_per_pixel": "true",
        "view": "cutout",
        "opacity": "0.3",
        "left": "object-aware:64",
        "right": "grid:16",
        "show": "alone",
        "draw_prompts": "true",
        "largest": "256",
        "samplers": "grid,coverage",
        "batch_sampler": "grid",
        "batch_prompts": "128",
        "tab": "compare",
    }
    assert set(given) == {*LINKED.values(), TAB} - {"model"}
    page = visit(f"{fake_app.address}?{urlencode(given)}")
    expect(page.locator("#compare-left input")).to_have_value("Object-aware 64")
    page.locator("#permalink").click()
    expect(page.locator("#permalink")).not_to_have_text(LINK_BUTTON)
    assert query(page) == given


def test_values_that_make_no_sense_are_left_out_with_a_sentence(fake_app: FakeApp, visit: Visit) -> None:
    page = visit(f"{fake_app.address}?prompts=many&sampler=%3Cb%3Emagic&min_area=2")
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("prompts in the address must be a whole number from 16 to 1024")
    expect(toast).to_contain_text(f'sampler in the address must be one of {", ".join(SAMPLERS)}; "<b>magic"')
    expect(page.locator("#prompts input[type=number]")).to_have_value("320")
    expect(page.locator("#min-area input[type=number]")).to_have_value("2")
