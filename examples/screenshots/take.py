"""Takes the README's screenshots of the page, on the embedded model.

    python examples/screenshots/take.py [--chromium /usr/bin/chromium]

Needs what the tests need: Playwright's Python package and a Chromium.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PHOTO = ROOT / "examples" / "images" / "coffee.png"
SECONDS = 300


def start_page() -> tuple[subprocess.Popen[str], str]:
    """The page in a process of its own, and its address."""
    environment = os.environ | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
    }
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://[\w.:]+", line):
            return process, found.group()
    raise SystemExit("The page did not start.")


def take(page: Page, address: str, *, name: str) -> None:
    """Segment and compare one photo and save a picture of each tab."""
    page.goto(address)
    page.set_input_files("#photo input[type=file]", str(PHOTO))
    page.locator("#photo img").wait_for()
    page.locator("#segment-numbers .idle").wait_for()  # the first example is gone
    page.locator("#segment-run").click()
    page.locator("#segment-numbers .facts").wait_for(timeout=1000 * SECONDS)
    page.wait_for_timeout(1500)  # the overlay is being loaded
    page.screenshot(path=str(HERE / f"segment-{name}.png"))
    page.get_by_role("tab", name="Compare samplers").click()
    page.locator("#compare-run").click()
    page.locator("#compare-numbers table").wait_for(timeout=1000 * SECONDS)
    page.wait_for_timeout(1500)
    page.screenshot(path=str(HERE / f"compare-{name}.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Take the README's screenshots.")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    process, address = start_page()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            take(context.new_page(), address, name="desktop")
            browser.close()
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
