"""*Compare samplers* as a person uses it, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import DESKTOP, FakeApp
from .person import box_of, choose, open_tab, until, upload

Visit = Callable[..., Page]
LOADED = "images => images.every(image => image.complete && image.naturalWidth > 0)"


def compared(page: Page, address: Path, *, left: str = "Grid 8 × 8") -> Locator:
    """Run a comparison of a photo and wait for its pictures."""
    upload(page, address)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", left)
    page.locator("#compare-run").click()
    page.locator("#compare-numbers .verdict").wait_for()
    until(lambda: bool(page.locator(".duel-frame img").evaluate_all(LOADED)))
    return page.locator(".duel")


def test_the_line_between_the_pictures_follows_keys_and_pointer(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    duel = compared(page, photo)
    split = page.get_by_role("slider", name="Where the left picture ends")

    def line() -> float:
        return box_of(page, ".duel-line")["x"] + 1

    frame = box_of(page, ".duel-frame")
    assert line() == pytest.approx(frame["x"] + frame["width"] / 2, abs=2)
    split.focus()
    page.keyboard.press("ArrowRight")
    assert line() == pytest.approx(frame["x"] + 0.51 * frame["width"], abs=2)
    assert split.get_attribute("aria-valuetext") == "51 % Grid 8 × 8"
    page.keyboard.press("Home")
    assert line() == pytest.approx(frame["x"], abs=2)
    page.mouse.click(frame["x"] + 0.75 * frame["width"], frame["y"] + frame["height"] / 2)
    assert line() == pytest.approx(frame["x"] + 0.75 * frame["width"], abs=0.006 * frame["width"])
    assert duel.locator(".duel-side.left").evaluate("side => getComputedStyle(side).clipPath") != "none"


def test_each_view_shows_its_layers_without_another_run(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    duel = compared(page, photo)
    runs = fake_app.script.started
    picture = page.get_by_alt_text("The photo with the masks of Grid 8 × 8 to the left of the line")
    expect(picture).to_be_visible()
    left, right = (duel.locator(f".duel-side.{side} .masks") for side in ("left", "right"))
    alone = duel.locator(".duel-alone")
    for name, seen in (
        ("Left", (True, False, False)),
        ("Right", (False, True, False)),
        ("Found by one", (False, False, True)),
        ("Both", (True, True, False)),
    ):
        page.get_by_role("radio", name=name).check()
        for layer, visible in zip((left, right, alone), seen, strict=True):
            expect(layer).to_be_visible(visible=visible)
        if name == "Found by one":
            expect(duel).to_contain_text("Only Grid 8 × 8: ")
            expect(duel).to_contain_text("Both: ")
            expect(
                page.get_by_alt_text("The photo in grey with the masks that one of the two found alone")
            ).to_be_visible()
        else:
            expect(duel).not_to_contain_text("Only Grid")
    prompts = duel.locator(".prompts").first
    expect(prompts).to_be_hidden()
    page.get_by_label("Draw the prompts").check()
    expect(prompts).to_be_visible()
    assert fake_app.script.started == runs

    # What is chosen stays when the next result comes.
    page.get_by_role("radio", name="Right").check()
    choose(page, "#compare-left", "Grid 16 × 16")
    page.locator("#compare-run").click()
    expect(page.locator("#compare-numbers table")).to_contain_text("Grid 16 × 16")
    expect(right).to_be_visible()
    expect(left).to_be_hidden()
    expect(prompts).to_be_visible()
    assert fake_app.script.encoded == 1


def test_prompts_are_drawn_where_each_has_its_picture(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    open_tab(page, "Compare samplers")
    draw = page.get_by_label("Draw the prompts")
    page.get_by_label("Found by one").check()
    expect(draw).to_be_disabled()
    page.get_by_label("Both").check()
    expect(draw).to_be_enabled()


def test_everything_is_in_sight_at_once_on_a_desktop(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, DESKTOP)
    compared(page, photo)
    names = (
        "#photo",
        "#compare-duel",
        "#compare-left",
        "#compare-view",
        "#compare-run",
        "#compare-numbers table",
    )
    boxes = {name: box_of(page, name) for name in names}
    for name, box in boxes.items():
        assert box["y"] >= 0, name
        assert box["y"] + box["height"] <= DESKTOP[1], name
    assert max(boxes, key=lambda name: boxes[name]["width"] * boxes[name]["height"]) == "#compare-duel"


def test_the_parts_follow_each_other_on_a_phone(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 780))
    compared(page, photo)
    order = (
        "#photo",
        "#compare-duel",
        "#compare-left",
        "#compare-run",
        "#compare-numbers",
        "#compare-details",
    )
    tops = [box_of(page, name)["y"] for name in order]
    assert tops == sorted(tops)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_another_photo_clears_the_comparison(fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path) -> None:
    page = visit(fake_app.address)
    compared(page, photo)
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator(".duel-frame")).to_be_hidden()
    expect(page.locator(".duel-empty")).to_be_visible()
    expect(page.locator("#compare-numbers .idle")).to_be_visible()
    expect(page.locator("#compare-details .note")).to_have_count(0)


def test_cancel_stops_a_comparison(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(fake_app.address)
    upload(page, photo)
    open_tab(page, "Compare samplers")
    page.locator("#compare-run").click()
    until(lambda: fake_app.script.started == 1)
    page.locator("#compare-cancel").click()
    expect(page.locator("#compare-numbers")).to_contain_text("Cancelled")
    until(lambda: fake_app.script.closed == 1)
    expect(page.locator("#compare-run")).to_be_enabled()


def test_nothing_found_is_told_and_shown(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.finds = 0
    page = visit(fake_app.address)
    compared(page, photo)
    expect(page.locator("#compare-numbers .verdict")).to_contain_text("found no objects on this photo")


def test_two_visitors_compare_their_own_photos_at_once(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path
) -> None:
    ann, bob = visit(fake_app.address), visit(fake_app.address)
    for page, path, left in ((ann, photo, "Grid 8 × 8"), (bob, other_photo, "Object-aware 16")):
        upload(page, path)
        open_tab(page, "Compare samplers")
        choose(page, "#compare-left", left)
    for page in (ann, bob):
        page.locator("#compare-run").click()
    for page in (ann, bob):
        page.locator("#compare-numbers .verdict").wait_for()
        until(lambda page=page: bool(page.locator(".duel-frame img").evaluate_all(LOADED)))  # type: ignore[misc]
    wide = "image => image.naturalWidth > image.naturalHeight"
    assert [page.locator(".duel-photo").evaluate(wide) for page in (ann, bob)] == [True, False]
    expect(ann.locator(".duel-names .left")).to_have_text("Grid 8 × 8")
    expect(bob.locator(".duel-names .left")).to_have_text("Object-aware 16")
