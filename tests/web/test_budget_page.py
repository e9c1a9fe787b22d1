"""*Prompt budget* as a person uses it, in a real browser."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import DESKTOP, FakeApp
from .person import box_of, choose, open_tab, until, upload

Visit = Callable[..., Page]


def measure(page: Page, photo: Path, *, largest: str = "64 prompts") -> None:
    upload(page, photo)
    open_tab(page, "Prompt budget")
    choose(page, "#budget-largest", largest)
    page.locator("#budget-run").click()


def test_curves_grow_and_what_is_measured_stays_when_the_rest_is_cancelled(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 40
    page = visit(fake_app.address)
    measure(page, photo, largest="1,024 prompts")
    dots = page.locator("#budget-curves .chart").first.locator(".dot")
    until(lambda: dots.count() >= 3)
    expect(page.locator("#budget-numbers progress")).to_be_visible()
    page.locator("#budget-cancel").click()
    expect(page.locator("#budget-numbers")).to_contain_text("Cancelled")
    time.sleep(0.5)
    runs, kept = fake_app.script.started, dots.count()
    assert 3 <= kept < 3 + 7
    time.sleep(1.5)
    assert (fake_app.script.started, dots.count()) == (runs, kept)
    assert runs < 3 + 7  # one for each point
    expect(page.locator("#budget-table table").first).to_be_visible()

    fake_app.script.pause = 0.0
    page.locator("#budget-run").click()
    verdict = page.locator("#budget-numbers .verdict")
    expect(verdict).to_contain_text("All 40 boxes that the detector proposed")
    expect(dots).to_have_count(3 + 7)
    expect(page.locator("#budget-table .note")).to_contain_text("ends at 40 boxes")
    expect(page.get_by_role("img", name="Masks kept against prompts asked. Object-aware: 40 at 40")).to_be_visible()
    assert fake_app.script.encoded == 1


def test_the_curves_are_in_sight_at_once_on_a_desktop(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, DESKTOP)
    measure(page, photo)
    page.locator("#budget-numbers .verdict").wait_for()
    names = ("#photo", "#budget-curves", "#budget-largest", "#budget-run", "#budget-numbers")
    for name in names:
        box = box_of(page, name)
        assert box["y"] >= 0, name
        assert box["y"] + box["height"] <= DESKTOP[1], name


def test_the_curves_follow_each_other_on_a_phone(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 780))
    measure(page, photo)
    page.locator("#budget-numbers .verdict").wait_for()
    charts = page.locator("#budget-curves .chart").all()
    boxes = [chart.bounding_box() for chart in charts]
    assert all(box is not None for box in boxes)
    for above, below in itertools.pairwise(boxes):
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"]
    order = ("#photo", "#budget-curves", "#budget-largest", "#budget-run", "#budget-numbers", "#budget-table")
    tops = [box_of(page, name)["y"] for name in order]
    assert tops == sorted(tops)
    assert boxes[-1] is not None
    assert boxes[-1]["y"] + boxes[-1]["height"] <= box_of(page, "#budget-largest")["y"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_another_photo_clears_the_curves(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address)
    measure(page, photo)
    page.locator("#budget-numbers .verdict").wait_for()
    page.locator("#examples .gallery-item").first.click()
    expect(page.locator("#budget-numbers .idle")).to_be_visible()
    expect(page.locator("#budget-curves .dot")).to_have_count(0)
    expect(page.locator("#budget-table table")).to_have_count(0)
