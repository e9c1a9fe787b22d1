"""No serious violation of WCAG that axe can see, in light and dark, before and after a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from .conftest import DESKTOP, FakeApp
from .person import upload

Visit = Callable[..., Page]


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical: rule, and the first places."""
    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {rule['help']}: {[node['html'][:160] for node in rule['nodes'][:3]]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_page(
    fake_app: FakeApp, visit: Visit, photo: Path, theme: str
) -> None:
    page = visit(f"{fake_app.address}?__theme={theme}", DESKTOP)
    assert serious(page) == []
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-table tbody tr").first.wait_for()
    page.locator("#segment-table tbody button").first.click()
    page.locator("#segment-stage .card h3").wait_for()
    for accordion in ("Advanced", "How this works"):
        page.get_by_role("button", name=accordion).first.click()
    assert serious(page) == []
    for tab in page.get_by_role("tab").all()[1:]:
        tab.click()
        assert serious(page) == [], tab.inner_text()
