"""Fingers on a phone: what is pointed at, and what scrolls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import at, box_of, choose, open_pad, open_tab, until, upload

Visit = Callable[..., Page]
Place = tuple[float, float]
SCROLLED = "window.scrollY"


@pytest.fixture
def phone(fake_app: FakeApp, visit: Visit, photo: Path) -> Page:
    """*Point and box* on a phone, with a photo, scrolled down a bit so that the page could move both ways."""
    page = visit(fake_app.address, (360, 640), touch=True)
    open_pad(page, photo)
    page.evaluate("window.scrollTo(0, 150)")
    until(lambda: bool(page.evaluate(SCROLLED) == 150))
    return page


def swipe(page: Page, start: Place, end: Place) -> None:
    """One finger from one place of the screen to another."""
    device = page.context.new_cdp_session(page)

    def send(kind: str, *places: Place) -> None:
        points = [{"x": x, "y": y} for x, y in places]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", start)
    for step in range(1, 9):
        share = step / 8
        send("touchMove", tuple(a + share * (b - a) for a, b in zip(start, end, strict=True)))  # type: ignore[arg-type]
    send("touchEnd")
    device.detach()


def on_screen(page: Page, x: float, y: float) -> Place:
    """Shares of the picture as a place on the screen, without scrolling."""
    box = box_of(page, ".pad-picture")
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def test_a_tap_places_a_point_and_a_second_one_beside_it(phone: Page) -> None:
    phone.touchscreen.tap(*on_screen(phone, 0.4, 0.5))
    expect(phone.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    phone.get_by_label("Beside it").tap()
    phone.touchscreen.tap(*at(phone, 0.8, 0.2))
    expect(phone.locator("#prompt-numbers tbody")).to_contain_text("2 points")
    expect(phone.locator(".pad-dot.beside")).to_have_count(1)


def test_a_finger_draws_a_box_and_the_page_stays_where_it_is(phone: Page) -> None:
    phone.locator("#prompt-mode").get_by_label("Box", exact=True).tap()
    at(phone, 0.5, 0.5)
    before = phone.evaluate(SCROLLED)
    swipe(phone, on_screen(phone, 0.2, 0.1), on_screen(phone, 0.8, 0.9))
    expect(phone.locator("#prompt-numbers tbody")).to_contain_text("a box")
    assert phone.evaluate(SCROLLED) == before
    box = phone.locator(".pad-box.active").evaluate(
        "box => ['left', 'top', 'width', 'height'].map(side => parseFloat(box.style[side]))"
    )
    assert box == pytest.approx([20, 10, 60, 80], abs=1.5)


def test_two_taps_are_the_corners_of_a_box(phone: Page) -> None:
    phone.locator("#prompt-mode").get_by_label("Box", exact=True).tap()
    phone.touchscreen.tap(*at(phone, 0.2, 0.2))
    phone.touchscreen.tap(*at(phone, 0.7, 0.6))
    expect(phone.locator("#prompt-numbers tbody")).to_contain_text("a box")


def test_a_finger_that_points_can_scroll_the_page_and_places_nothing(phone: Page) -> None:
    before = phone.evaluate(SCROLLED)
    swipe(phone, on_screen(phone, 0.5, 0.8), on_screen(phone, 0.5, 0.2))
    until(lambda: bool(phone.evaluate(SCROLLED) > before))
    expect(phone.locator(".pad-dot")).to_have_count(0)
    expect(phone.locator("#prompt-numbers .idle")).to_be_visible()


def test_a_tap_shows_a_mask_alone_and_leaves_it(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 640), touch=True)
    upload(page, photo)
    page.locator("#segment-run").tap()
    page.locator("#segment-numbers .facts").wait_for()
    page.locator("#segment-table tbody button").first.tap()
    page.locator("#segment-stage .card h3").wait_for()
    page.get_by_role("button", name="Show all masks again").tap()
    expect(page.locator("#segment-stage .card")).to_be_hidden()


def test_a_finger_moves_the_line_between_two_overlays(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 640), touch=True)
    upload(page, photo)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Grid 8 × 8")
    page.locator("#compare-run").tap()
    page.locator("#compare-numbers .verdict").wait_for()
    page.locator(".duel-frame").scroll_into_view_if_needed()
    before = page.evaluate(SCROLLED)
    frame = box_of(page, ".duel-frame")
    y = frame["y"] + frame["height"] / 2
    swipe(page, (frame["x"] + 0.5 * frame["width"], y), (frame["x"] + 0.2 * frame["width"], y))
    line = box_of(page, ".duel-line")["x"] + 1
    assert line == pytest.approx(frame["x"] + 0.2 * frame["width"], abs=0.05 * frame["width"])
    assert page.evaluate(SCROLLED) == before
