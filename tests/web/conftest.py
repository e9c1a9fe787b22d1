"""Browsers and pages: the real app in a process of its own, and the same page on a segmenter without a model."""

from __future__ import annotations

import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mobilesamv2.web.settings import Settings

from .browser import find_chromium
from .fakes import FAKE_SETTINGS, script, serve_fake
from .person import open_pad, until
from .ports import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = (1280, 800)
PHONE = (390, 844)
HIDDEN = "hf_" + "s" * 34
"""A secret of `real_app`, which must not come out."""
expect.set_options(timeout=60_000)  # machines that run tests may be busy


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small photograph: 320 x 240, or so."""
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    with Image.open(ROOT / "examples" / "images" / "coffee.png") as image:
        small = image.convert("RGB")
        small.thumbnail((320, 320))
        small.save(path)
    return path


@pytest.fixture(scope="session")
def other_photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of other colours and another shape."""
    path = tmp_path_factory.mktemp("photos") / "other.png"
    Image.fromarray(np.full((300, 200, 3), (20, 60, 200), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def wide_photo(tmp_path: Path) -> Path:
    """A grey picture, 120 x 60."""
    path = tmp_path / "wide.png"
    Image.fromarray(np.full((60, 120, 3), 128, dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = find_chromium()
    assert chromium, "The browser tests need Chromium: apt-get install chromium, or name one in $CHROMIUM."
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def windows(browser: Browser) -> Iterator[Callable[[bool], BrowserContext]]:
    """A window for all pages with a mouse and one for all with a finger: what Gradio's page is made of is fetched once.

    Each page is another visitor to the server, since nothing is left in the browser (`test_page.py`).
    """
    opened: dict[bool, BrowserContext] = {}

    def window(touch: bool) -> BrowserContext:
        if touch not in opened:
            opened[touch] = browser.new_context(reduced_motion="reduce", has_touch=touch, is_mobile=touch)
        return opened[touch]

    yield window
    for context in opened.values():
        context.close()


@contextmanager
def visits(windows: Callable[[bool], BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens an address as a new visitor. At the end: no console error, no request that leaves this machine."""
    pages, complaints = [], []

    def open_page(
        address: str, size: tuple[int, int] = DESKTOP, *, touch: bool = False, first: str | None = None
    ) -> Page:
        page = windows(touch).new_page()
        pages.append(page)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.set_default_timeout(60_000)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if _leaves(asked.url) else None)
        if first is not None:  # JavaScript to run before the page's own
            page.add_init_script(first)
        page.goto(address)
        # A link may lead to another tab, which hides this button.
        page.locator("#segment-run").wait_for(state="attached" if "tab=" in address else "visible")
        page.locator("html.scripted").wait_for()
        return page

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []


@pytest.fixture
def visit(windows: Callable[[bool], BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Opens an address as a new visitor, as `visits` does."""
    with visits(windows) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def pad_of_the_module(
    fake_app_of_the_session: FakeApp, windows: Callable[[bool], BrowserContext], photo: Path
) -> Iterator[Page]:
    """A page for all tests of a file that point at the same photo."""
    with visits(windows) as open_page:
        page = open_page(fake_app_of_the_session.address)
        open_pad(page, photo)
        yield page


@pytest.fixture
def pad(fake_app: FakeApp, pad_of_the_module: Page) -> Page:
    """*Point and box* with a photo and nothing pointed at. What the tests before did can be undone."""
    page = pad_of_the_module
    page.locator("#prompt-mode").get_by_label("On it").check()
    page.locator("#prompt-clear").click()
    expect(page.locator("#prompt-numbers .idle")).to_be_visible()
    return page


def _leaves(url: str) -> bool:
    return re.match(r"(data:|blob:|https?://(localhost|127\.0\.0\.1)[:/])", url) is None


@pytest.fixture(scope="session")
def real_app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `real_app` prints."""
    return tmp_path_factory.mktemp("log") / "app.log"


@pytest.fixture(scope="session")
def real_app(real_app_log: Path) -> Iterator[str]:
    """`python app.py` on the embedded model, without a network; gives its address."""
    port = free_port()
    environment = os.environ | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "MOBILESAMV2_MODEL": "nano",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONUNBUFFERED": "1",
        "HF_TOKEN": HIDDEN,
    }
    address = f"http://127.0.0.1:{port}/"
    with real_app_log.open("wb") as log:
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(address, alive=lambda: app.poll() is None)
        yield address
    finally:
        app.terminate()
        app.wait(timeout=30)
    said = real_app_log.read_text()
    assert address.rstrip("/") in said, "The app prints its address."
    assert "Traceback" not in said


@dataclass(frozen=True)
class FakeApp:
    """The page on a segmenter without a model, in a process of its own; `script` steers the model and tells of it."""

    address: str
    script: Any


@pytest.fixture(scope="session")
def fake_app_of_the_session() -> Iterator[FakeApp]:
    with serving_fake(FAKE_SETTINGS) as app:
        yield app


@contextmanager
def serving_fake(settings: Settings) -> Iterator[FakeApp]:
    """A fake page in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager:
        app = FakeApp(address=f"http://127.0.0.1:{(port := free_port())}/", script=manager.Namespace())
        vars_of(app.script, script())
        process = spawn.Process(target=serve_fake, args=(app.script, port, settings), daemon=True)
        process.start()
        wait_for(app.address, alive=process.is_alive)
        yield app
        process.terminate()
        process.join(timeout=30)
        process.close()


@pytest.fixture
def fake_app(fake_app_of_the_session: FakeApp) -> Iterator[FakeApp]:
    """The fake page with its script as new. At the end: no run of this test goes on into the next."""
    app = fake_app_of_the_session
    vars_of(app.script, script())
    yield app
    app.script.pause = 0.0
    until(lambda: app.script.under_way == 0)


@pytest.fixture(scope="module")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Client]]:
    """Gives a client of `gradio_client` for an address, the same one each time."""
    clients: dict[str, Client] = {}

    def client_for(address: str) -> Client:
        if address not in clients:
            downloads = tmp_path_factory.mktemp("downloads")
            clients[address] = Client(address, verbose=False, download_files=str(downloads), analytics_enabled=False)
        return clients[address]

    yield client_for
    for client in clients.values():
        client.close()


def vars_of(namespace: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(namespace, name, value)
