"""What a person does on the page, for the tests that drive a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page


def upload(page: Page, path: Path) -> None:
    """Choose a photo."""
    page.set_input_files("#photo input[type=file]", str(path))
    page.locator("#photo img").wait_for()
    page.locator("#segment-numbers .idle").wait_for(
        state="attached"
    )  # what was shown of another photo is gone


def box_of(page: Page, selector: str) -> dict[str, float]:
    """Where something is on the page: x, y, width, height."""
    box = page.locator(selector).bounding_box()
    assert box is not None, f"{selector} is not on the page"
    return box


def until(happened: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait for something that no page shows."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "That did not happen in time."
        time.sleep(0.05)
