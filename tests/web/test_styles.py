"""What Gradio does to style sheets that are not its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mobilesamv2.web.layout.serving import styles


@pytest.mark.parametrize("sheet", styles(), ids=lambda sheet: sheet.stem)
def test_no_selector_has_a_comma_between_brackets(sheet: Path) -> None:
    """Gradio splits selectors at every comma to prefix them, so that `:is(a, b)` becomes another selector."""
    without_comments = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
    selectors = re.findall(r"([^{};]+)\{", without_comments)
    assert selectors
    found = [selector.strip() for selector in selectors if re.search(r"\([^()]*,[^()]*\)", selector)]
    assert [selector for selector in found if not selector.startswith("@")] == []
