"""The page on phones: what has to fit there, and what must not move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from .conftest import FakeApp, visits
from .person import box_of, choose, open_tab, until, upload

Visit = Callable[..., Page]
FITS = "part => part.scrollWidth <= part.clientWidth + 1"


@pytest.fixture(scope="module")
def empty_page(fake_app_of_the_session: FakeApp, windows: Callable[[bool], BrowserContext]) -> Iterator[Page]:
    """A page without a photo, for all widths."""
    with visits(windows) as open_page:
        yield open_page(fake_app_of_the_session.address)


@pytest.fixture(scope="module")
def page_with_a_photo(
    fake_app_of_the_session: FakeApp, windows: Callable[[bool], BrowserContext], photo: Path
) -> Iterator[Page]:
    """A page with a photo that is not segmented, for all widths."""
    with visits(windows) as open_page:
        page = open_page(fake_app_of_the_session.address)
        upload(page, photo)
        yield page


@pytest.mark.parametrize("width", [320, 360, 390, 768])
def test_all_tabs_are_in_sight_and_large_enough_for_a_finger(empty_page: Page, width: int) -> None:
    page = empty_page
    page.set_viewport_size({"width": width, "height": 740})
    tabs = page.get_by_role("tab").all()
    assert [tab.inner_text() for tab in tabs] == [
        "Segment everything",
        "Compare samplers",
        "Prompt budget",
        "Point and box",
        "Several photos",
    ]
    for tab in tabs:
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 44
        assert tab.evaluate(FITS), tab.inner_text()
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_column_of_each_sampler_has_its_own_numbers(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 740))
    upload(page, photo)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Grid 8 × 8")
    page.locator("#compare-run").click()
    for table in (page.locator(".statistics"),):
        table.wait_for()
        for row, name in enumerate(("Grid 8 × 8", "Object-aware 320")):
            sampler = table.locator("tbody tr").nth(row)
            expect(sampler.locator("th")).to_have_text(name)
            heads = [box["x"] for cell in sampler.locator("th, td").all() if (box := cell.bounding_box())]
            assert max(heads) - min(heads) <= 1, "All numbers of a sampler are below its name."
        for head, cell in zip(
            table.locator("thead th").all(),
            table.locator("tbody tr").first.locator("th, td").all(),
            strict=True,
        ):
            first, second = head.bounding_box(), cell.bounding_box()
            assert first is not None
            assert second is not None
            assert abs(first["y"] - second["y"]) <= 1, "A number is beside what it is called."
    picture, names = box_of(page, ".duel-frame"), box_of(page, ".duel-names")
    assert picture["y"] + picture["height"] <= names["y"] + 1


def test_the_buttons_stay_where_they_are_when_masks_come(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    page = visit(fake_app.address, (360, 740))
    upload(page, photo)
    page.locator("#segment-stage .viewer.waiting").wait_for()

    def settled() -> float:
        return box_of(page, "#segment-run")["y"] - box_of(page, "#photo")["y"]

    before = settled()
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    until(lambda: page.locator("#segment-stage .viewer.waiting").count() == 0)
    assert settled() == pytest.approx(before, abs=2)


def test_tables_are_not_cut_off(fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path) -> None:
    page = visit(fake_app.address, (360, 740))
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-table tbody tr").first.wait_for()
    assert page.locator("#segment-table .masks-table").evaluate(FITS)
    open_tab(page, "Several photos")
    page.set_input_files("#batch-photos input[type=file]", [str(photo), str(other_photo)])
    expect(page.locator("#batch-photos .file-preview tr.file")).to_have_count(2)
    page.locator("#batch-run").click()
    page.locator("#batch-numbers .facts").wait_for()
    assert page.locator("#batch-numbers table").evaluate(FITS)


@pytest.mark.parametrize("width", [600, 834, 961, 1024, 1180, 1920])
def test_nothing_is_squeezed_or_sticks_out_between_phones_and_wide_screens(page_with_a_photo: Page, width: int) -> None:
    page = page_with_a_photo
    page.set_viewport_size({"width": width, "height": 800})
    open_tab(page, "Segment everything")
    page.evaluate("window.scrollTo(0, 0)")
    assert box_of(page, "#title")["height"] <= 64
    inside = "part => part.getBoundingClientRect().right <= innerWidth + 1"
    for part in ("#masthead", "#running", "#opacity", "#segment-stage", "#segment-run", "#segment-numbers"):
        assert page.locator(part).evaluate(inside), part
    stage = box_of(page, "#segment-stage")
    assert stage["height"] <= 1.4 * stage["width"]
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab.inner_text()
