"""Each sampler from the page's menus, on the real model, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mobilesamv2 import load
from mobilesamv2.sampler_kinds import SAMPLERS

from .conftest import DESKTOP
from .person import box_of, choose, open_tab, set_slider, upload

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def by_the_library(photo: Path) -> dict[str, tuple[str, str]]:
    """Masks that each sampler gives with at most 32 prompts, and the prompts it asks."""
    model = load("nano")
    embedding = model.encode(photo)
    found = {
        name: model.segment_everything(photo, sampler=name, max_prompts=32, embedding=embedding) for name in SAMPLERS
    }
    return {name: (str(len(result.masks)), str(len(result.prompts))) for name, result in found.items()}


@pytest.mark.parametrize("size", [(1280, DESKTOP[1]), (360, 780)])
def test_each_sampler_runs_from_the_menu_and_gives_what_the_library_gives(
    real_app: str,
    visit: Visit,
    photo: Path,
    by_the_library: dict[str, tuple[str, str]],
    size: tuple[int, int],
) -> None:
    page = visit(real_app, size)
    upload(page, photo)
    page.locator("#advanced button").first.click()
    set_slider(page, "prompts", "32")
    menu = box_of(page, "#sampler")
    for label in page.locator("#sampler label").all():
        box = label.bounding_box()
        assert box is not None
        assert menu["x"] <= box["x"] < box["x"] + box["width"] <= menu["x"] + menu["width"]
    for name, kind in SAMPLERS.items():
        page.locator("#sampler").get_by_label(kind.title, exact=True).check()
        page.locator("#segment-run").click()
        page.locator("#segment-numbers .facts").wait_for()
        numbers = page.locator("#segment-numbers .facts dd")
        for number, expected in zip(numbers.all()[:2], by_the_library[name], strict=True):
            expect(number).to_have_text(expected)
        expect(page.locator("#segment-table tbody tr").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_two_of_the_samplers_are_compared_and_all_are_measured(real_app: str, visit: Visit, photo: Path) -> None:
    page = visit(real_app, (360, 780))
    upload(page, photo)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Hierarchical 8 × 8")
    choose(page, "#compare-right", "Coverage 64")
    page.locator("#compare-run").click()
    expect(page.locator("#compare-numbers .verdict")).to_contain_text("overage sampling")
    open_tab(page, "Prompt budget")
    choose(page, "#budget-largest", "64 prompts")
    for kind in SAMPLERS.values():
        page.locator("#budget-samplers").get_by_label(kind.title, exact=True).check()
    page.locator("#budget-run").click()
    expect(page.locator("#budget-numbers .verdict")).to_contain_text("covers most")
    expect(page.locator("#budget-table table")).to_have_count(len(SAMPLERS))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
