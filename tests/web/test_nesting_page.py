"""Wholes and parts on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from mobilesamv2.nesting import Nesting

from .conftest import FakeApp
from .fakes import boxes, discs
from .person import segment


def test_parts_and_wholes_are_chosen_from_the_card(fake_app: FakeApp, visit: Callable[..., Page], photo: Path) -> None:
    fake_app.script.finds = 40
    with Image.open(photo) as image:
        picture = np.asarray(image)
    tree = Nesting.of(discs(picture, boxes(picture, 40)))
    part = int(np.flatnonzero(tree.parents >= 0)[0])
    whole = int(tree.parents[part])
    page = visit(fake_app.address)
    segment(page, photo)
    card = page.locator("#segment-stage .card")
    page.locator(f"#segment-table tr[data-mask='{part}'] button").click()
    expect(card.locator("h3")).to_have_text(f"Mask {part + 1}")
    card.get_by_role("button", name=f"Show mask {whole + 1} alone").click()
    expect(card.locator("h3")).to_have_text(f"Mask {whole + 1}")
    expect(card).to_contain_text("Parts")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()
