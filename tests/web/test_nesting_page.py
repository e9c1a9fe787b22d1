"""Wholes and parts on the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from mobilesamv2.nesting import Nesting
from mobilesamv2.types import Prompts
from mobilesamv2.web.mask_views import Shown, one_mask
from tests.export.examples import boxes_as_masks

from .conftest import FakeApp
from .fakes import boxes, discs
from .person import segment

EYE, FACE, PERSON = (4, 4, 6, 6), (2, 2, 8, 8), (0, 0, 10, 30)


def test_a_mask_knows_what_it_is_part_of_and_its_parts_the_largest_first() -> None:
    masks = boxes_as_masks([EYE, PERSON, FACE, (0, 20, 10, 30)], (40, 60), scores=0.5)
    prompts = Prompts(boxes_xyxy=masks.boxes_xyxy)
    shown = Shown(masks=masks, numbers=np.array([5, 0, 3, 8]), prompts=prompts, whole=4)
    person, face = one_mask(shown, 1), one_mask(shown, 2)
    assert person["part_of"] is None
    assert person["parts"] == [{"index": 3, "number": 9}, {"index": 2, "number": 4}]
    assert face["part_of"] == {"index": 1, "number": 1}
    assert face["parts"] == [{"index": 0, "number": 6}]


def test_parts_and_wholes_are_chosen_from_the_card(
    fake_app: FakeApp, visit: Callable[..., Page], photo: Path
) -> None:
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
