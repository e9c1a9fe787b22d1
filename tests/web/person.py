"""What a person does on the page, for the tests that drive a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Page, expect


def upload(page: Page, path: Path) -> None:
    """Choose a photo."""
    page.set_input_files("#photo input[type=file]", str(path))
    page.locator("#photo img").wait_for()
    page.locator("#segment-numbers .idle").wait_for(state="attached")  # what was shown of another photo is gone


def begin(page: Page, photo: Path) -> None:
    """Let everything in a photo be segmented, and wait until that is under way."""
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers progress").wait_for()


def segment(page: Page, photo: Path) -> None:
    """Segment everything in a photo and wait for its numbers and its table."""
    upload(page, photo)
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for()
    page.locator("#segment-table tbody tr").first.wait_for()


def set_slider(page: Page, elem_id: str, value: str) -> None:
    """Type a value beside a slider."""
    box = page.locator(f"#{elem_id} input[type=number]")
    box.fill(value)
    box.press("Tab")


def click_once_enabled(page: Page, selector: str) -> None:
    """Click a button in the very frame in which it can be clicked: sooner than any person, or Playwright."""
    page.locator(selector).evaluate(
        """async button => {
            while (button.disabled) await new Promise(requestAnimationFrame);
            button.click();
        }"""
    )


def bring(page: Page, way: str, *paths: Path) -> None:
    """Paste photos ("paste"), or drop them far from any field ("drop")."""
    page.evaluate(
        """([way, photos]) => {
            const transfer = new DataTransfer();
            for (const [name, kind, bytes] of photos)
                transfer.items.add(new File([new Uint8Array(bytes)], name, {type: "image/" + kind}));
            const given = {bubbles: true, cancelable: true};
            document.querySelector("#colophon").dispatchEvent(way === "paste"
                ? new ClipboardEvent("paste", {...given, clipboardData: transfer})
                : new DragEvent("drop", {...given, dataTransfer: transfer}));
        }""",
        [
            way,
            [(path.name, path.suffix[1:].replace("jpg", "jpeg"), list(path.read_bytes())) for path in paths],
        ],
    )


def open_tab(page: Page, title: str) -> None:
    """Go to a tab: all of them are in sight at all widths."""
    page.get_by_role("tab", name=title).click()


def choose(page: Page, dropdown: str, option: str) -> None:
    """Choose from a menu."""
    page.locator(f"{dropdown} input").click()
    page.get_by_role("option", name=option, exact=True).click()
    expect(page.get_by_role("option")).to_have_count(0)


def open_pad(page: Page, photo: Path) -> None:
    """Choose a photo and go to where it can be pointed at."""
    page.set_input_files("#photo input[type=file]", str(photo))
    page.locator("#photo img").wait_for()
    open_tab(page, "Point and box")
    page.locator(".pad-picture").wait_for()
    expect(page.locator(".pad-photo")).to_have_js_property("complete", True)


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Shares of the picture as a place on the screen."""
    page.locator(".pad-picture").scroll_into_view_if_needed()
    box = page.locator(".pad-picture").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]


def click(page: Page, x: float, y: float, **options: Any) -> None:
    """Click at shares of the picture."""
    page.mouse.click(*at(page, x, y), **options)


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw with the mouse from one place of the picture to another."""
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=3)
    page.mouse.up()


def box_of(page: Page, selector: str) -> FloatRect:
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


def objects_pointed_at(page: Page) -> list[str]:
    """What is said of each object."""
    return [text.replace("\t", " ") for text in page.locator("#prompt-numbers tbody tr").all_inner_texts()]
