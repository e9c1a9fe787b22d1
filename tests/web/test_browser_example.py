"""The page of examples/browser in a real browser: a photo becomes masks without a server."""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from pycocotools import mask as coco_mask

import mobilesamv2
from mobilesamv2.types import Rle

from .conftest import PHONE, ROOT, _leaves

BUILD = ROOT / "examples" / "browser" / "build.py"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        pass


@pytest.fixture(scope="module")
def models() -> Path:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from tests.exported_models import exported_nano

    return exported_nano()


@pytest.fixture(scope="module")
def site(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder that build.py makes, served as any static host would."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(BUILD), "-o", str(folder), "--models", str(models)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if run.returncode and "npm" in run.stderr:
        pytest.skip(f"ONNX Runtime Web cannot be had from npm: {run.stderr.strip()[:300]}")
    assert run.returncode == 0, run.stderr
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture
def open_site(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """Opens the page. At the end: no error in its console, and nothing was asked of another machine."""
    contexts, complaints = [], []

    def open_page(size: tuple[int, int]) -> Page:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(KEEP_MASKS)
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda asked: complaints.append(asked.url) if _leaves(asked.url) else None)
        page.goto(site)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


KEEP_MASKS = """
window.found = [];
window.Worker = class extends Worker {
  constructor(...given) {
    super(...given);
    this.addEventListener("message", ({ data }) => data.kind === "masks" && window.found.push(...data.masks));
  }
};
"""
"""The page keeps its masks to itself: this listens to what its worker sends."""


def masks_of(page: Page) -> list[Rle]:
    """What the worker sent, at the size of the canvas."""
    width, height = page.evaluate("[overlay.width, overlay.height]")
    rles = []
    for found in page.evaluate("found.map((mask) => ({ ...mask, bits: mask.bits.join('') }))"):
        mask = np.zeros((height, width), dtype=np.uint8)
        rows, columns = (slice(found[at], found[at] + found[side]) for at, side in (("y", "height"), ("x", "width")))
        mask[rows, columns] = np.array(list(found["bits"]), dtype=np.uint8).reshape(found["height"], found["width"])
        assert mask.sum() == found["area"] > 0
        rles.append(coco_mask.encode(np.asfortranarray(mask)))
    return rles


def test_a_photo_becomes_the_masks_that_the_library_finds(
    open_site: Callable[..., Page], photo: Path, models: Path
) -> None:
    page = open_site(PHONE)
    page.locator("#file").set_input_files(photo)
    expect(page.locator("#status")).to_have_text(re.compile(r"^\d+ masks in"), timeout=240_000)
    expected = mobilesamv2.load("nano", weights=models, backend="onnx").segment_everything(photo).masks
    found = masks_of(page)
    # Both round pictures a little differently. That decides about boxes at the threshold of confidence, and about which
    # of two boxes stays that overlap by nearly as much as is allowed.
    sure = np.asarray(expected.scores) > 0.41
    at_threshold = len(expected) - int(sure.sum())
    assert sure.sum() > 10
    assert abs(len(found) - len(expected)) <= at_threshold
    overlap = coco_mask.iou(found, list(expected.rles), [0] * len(expected)).max(axis=0)
    assert (overlap[sure] > 0.95).mean() > 0.8
    assert np.median(overlap[sure]) > 0.99
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    before = page.locator("#overlay").screenshot()
    page.locator("#overlay").hover(position={"x": 150, "y": 120})
    assert page.locator("#overlay").screenshot() != before


def test_a_file_that_is_no_picture_gets_a_sentence(open_site: Callable[..., Page], tmp_path: Path) -> None:
    (tmp_path / "notes.jpg").write_text("no picture")
    page = open_site((1280, 800))
    page.locator("#file").set_input_files(tmp_path / "notes.jpg")
    expect(page.locator("#status")).to_contain_text("no picture that the browser can read")
