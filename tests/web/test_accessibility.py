"""No serious violation of WCAG that axe can see: every tab, in light and dark, empty, at work, with a result, after an
error, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import DESKTOP, PHONE, FakeApp
from .person import begin, choose, click, open_tab, upload

Visit = Callable[..., Page]
TABS = ("Segment everything", "Compare samplers", "Prompt budget", "Point and box", "Several photos")
BOTH = pytest.mark.parametrize("theme", ["light", "dark"])


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical: rule, and the first places."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


@BOTH
def test_axe_finds_nothing_serious_on_tabs_without_a_result(fake_app: FakeApp, visit: Visit, theme: str) -> None:
    page = visit(f"{fake_app.address}?__theme={theme}")
    for tab in TABS:
        open_tab(page, tab)
        assert serious(page) == [], tab
    page.locator("#batch-run").click()
    expect(page.locator("#batch-numbers .problem")).to_be_visible()
    assert serious(page) == [], "after an error"


@BOTH
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_about_masks_at_work_and_afterwards(
    fake_app: FakeApp, visit: Visit, photo: Path, theme: str, size: tuple[int, int]
) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(f"{fake_app.address}?__theme={theme}", size)
    begin(page, photo)
    assert serious(page) == [], "at work"
    page.locator("#segment-cancel").click()
    fake_app.script.pause = 0.0
    expect(page.locator("#segment-numbers")).to_contain_text("Cancelled")
    page.locator("#segment-run").click()
    expect(page.locator("#segment-numbers .facts")).to_contain_text("320masks")
    page.locator("#segment-table tbody button").first.click()
    page.locator("#segment-stage .card h3").wait_for()
    for accordion in ("Advanced", "Take it with you", "How this works"):
        page.get_by_role("button", name=accordion).first.click()
    assert serious(page) == [], "one mask alone, all accordions open"


@BOTH
def test_axe_finds_nothing_serious_about_a_comparison_and_curves(
    fake_app: FakeApp, visit: Visit, photo: Path, theme: str
) -> None:
    page = visit(f"{fake_app.address}?__theme={theme}")
    upload(page, photo)
    open_tab(page, "Compare samplers")
    choose(page, "#compare-left", "Grid 8 × 8")
    page.locator("#compare-run").click()
    page.locator("#compare-details .note").wait_for()
    for view in ("Both", "Left", "Found by one"):
        page.locator("#compare-view").get_by_label(view).check()
        assert serious(page) == [], view
    open_tab(page, "Prompt budget")
    choose(page, "#budget-largest", "64 prompts")
    page.locator("#budget-run").click()
    page.locator("#budget-numbers .verdict").wait_for()
    assert serious(page) == [], "curves"


@BOTH
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious_about_objects_and_several_photos(
    fake_app: FakeApp, visit: Visit, photo: Path, other_photo: Path, theme: str, size: tuple[int, int]
) -> None:
    page = visit(f"{fake_app.address}?__theme={theme}", size)
    upload(page, photo)
    open_tab(page, "Point and box")
    page.locator(".pad-picture").wait_for()
    click(page, 0.3, 0.3)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
    page.locator("#prompt-new").click()
    expect(page.locator("#prompt-object label:has(input)")).to_have_count(2)
    click(page, 0.6, 0.6)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(2)
    for accordion in ("By number or keys", "Take it with you"):
        page.get_by_role("button", name=accordion).locator("visible=true").click()
    page.locator("#prompt-download").wait_for()
    assert serious(page) == [], "objects"
    open_tab(page, "Several photos")
    page.set_input_files("#batch-photos input[type=file]", [str(photo), str(other_photo)])
    page.locator("#batch-run").click()
    page.locator("#batch-numbers .facts").wait_for()
    page.get_by_role("button", name="Sampler and files").click()
    page.locator("#batch-formats").wait_for()
    assert serious(page) == [], "several photos"
