"""What Gradio does to style sheets that are not its own, and to what a browser draws itself."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

from mobilesamv2.web.layout.serving import styles

from .conftest import FakeApp
from .person import begin, until

Visit = Callable[..., Page]


@pytest.mark.parametrize("sheet", styles(), ids=lambda sheet: sheet.stem)
def test_no_selector_has_a_comma_between_brackets(sheet: Path) -> None:
    """Gradio splits selectors at every comma to prefix them, so that `:is(a, b)` becomes another selector."""
    without_comments = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", without_comments)
    assert selectors
    found = [selector.strip() for selector in selectors if re.search(r"\([^()]*,[^()]*\)", selector)]
    assert [selector for selector in found if not selector.startswith("@")] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_bar_fills_in_the_colours_of_the_page(fake_app: FakeApp, visit: Visit, photo: Path, theme: str) -> None:
    fake_app.script.pause, fake_app.script.finds = 0.3, 320
    page = visit(f"{fake_app.address}?__theme={theme}")
    begin(page, photo)
    bar = page.locator("#segment-numbers progress[value]")
    until(lambda: 0.1 < bar.evaluate("bar => bar.value / bar.max") < 0.9)
    styles = "bar => { const style = getComputedStyle(bar); return [style.color, style.backgroundColor]; }"
    filled, left = ([int(part) for part in re.findall(r"\d+", colour)] for colour in bar.evaluate(styles))
    picture = Image.open(io.BytesIO(bar.screenshot())).convert("RGB")
    middle = picture.height // 2
    ends = (picture.crop((x, middle, x + 1, middle + 1)) for x in (6, picture.width - 6))
    assert [list(end.tobytes()) for end in ends] == [filled, left]
    accent = "() => getComputedStyle(document.querySelector('#tabs [role=tab].selected'), '::after').backgroundColor"
    assert filled == [int(part) for part in re.findall(r"\d+", page.evaluate(accent))]
