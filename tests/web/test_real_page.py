"""The page on the real app with the embedded model: what the journey of a visitor leaves out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import DESKTOP
from .person import choose, click, open_pad, open_tab, upload

Visit = Callable[..., Page]

SLOW_BEGINNING = """{
    const plain = window.fetch;
    let slow = true; // until the first answer has come
    window.fetch = async (resource, options) => {
        const path = new URL(resource.url ?? resource, location).pathname;
        const wait = slow && path.endsWith("/queue/join");
        const answer = await plain(resource, options);
        if (wait) await new Promise(go => setTimeout(go, 5000));
        if (wait) slow = false;
        return answer;
    };
}"""
"""The first things that a page asks for, among them its first example, are answered five seconds late."""


def test_the_example_that_is_seen_is_compared(real_app: str, visit: Visit) -> None:
    page = visit(real_app)
    expect(page.locator("#segment-numbers")).to_contain_text("This is an example")
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Object-aware 16")
    choose(page, "#compare-right", "Object-aware 32")
    page.locator("#compare-run").click()
    expect(page.locator("#compare-numbers .verdict")).to_contain_text("32 boxes")


def test_the_real_model_is_measured(real_app: str, visit: Visit, photo: Path) -> None:
    page = visit(real_app)
    upload(page, photo)
    open_tab(page, "Prompt budget")
    choose(page, "#budget-largest", "64 prompts")
    page.locator("#budget-run").click()
    expect(page.locator("#budget-numbers .verdict")).to_contain_text("photo")
    table = page.locator("#budget-table table.grid tbody tr")
    expect(table).to_have_count(3)
    for row, (budget, points) in zip(table.all(), ((16, 16), (32, 25), (64, 64)), strict=True):
        expect(row.locator("th")).to_have_text(str(budget))
        expect(row.locator("td").first).to_have_text(str(points))
        expect(row.locator("td").last).not_to_have_text("–")


@pytest.mark.parametrize("size", [DESKTOP, (360, 780)], ids=["desktop", "phone"])
def test_the_real_model_answers_two_visitors_at_once(
    real_app: str, visit: Visit, photo: Path, other_photo: Path, size: tuple[int, int]
) -> None:
    ann, bob = visit(real_app, size), visit(real_app, size)
    open_pad(ann, photo)
    open_pad(bob, other_photo)
    click(ann, 0.45, 0.5)
    click(bob, 0.5, 0.5)
    for page in (ann, bob):
        expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
        expect(page.locator("#prompt-candidates label:has(input)")).to_have_count(3)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for page, is_wide in ((ann, True), (bob, False)):
        expect(page.locator(".pad-layer")).to_have_js_property("complete", True)
        size_of = page.locator(".pad-layer").evaluate("i => [i.naturalWidth, i.naturalHeight]")
        assert (size_of[0] > size_of[1]) == is_wide


def test_the_first_example_never_comes_over_a_photo_that_was_chosen_before(
    real_app: str, visit: Visit, photo: Path
) -> None:
    page = visit(real_app, first=SLOW_BEGINNING)
    page.set_input_files("#photo input[type=file]", str(photo))
    page.locator("#photo img").wait_for()
    page.wait_for_timeout(9000)
    expect(page.locator("#segment-numbers .idle")).to_be_visible()
    expect(page.locator("#segment-stage .viewer.waiting")).to_be_visible()
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .facts")).to_be_visible()
    expect(page.locator("#segment-numbers")).not_to_contain_text("This is an example")
