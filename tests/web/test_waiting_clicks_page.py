"""Clicks in *Point and box* that wait for their answers, in a real browser, and what is done meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import click, objects_pointed_at, open_pad

Visit = Callable[..., Page]


def test_clicks_that_follow_each_other_fast_all_count(fake_app: FakeApp, visit: Visit, photo: Path) -> None:
    fake_app.script.pause = 0.1
    page = visit(fake_app.address)
    open_pad(page, photo)
    for x in (0.2, 0.4, 0.6, 0.8):
        click(page, x, 0.5)
    expect(page.locator("#prompt-numbers tbody")).to_contain_text("4 points")
    expect(page.locator(".pad-dot.pending")).to_have_count(0)


def test_a_click_that_waits_for_its_answer_is_lost_by_undo_but_not_by_a_new_object(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    fake_app.script.pause = 1.0
    page = visit(fake_app.address)
    open_pad(page, photo)
    for button, left in (("#prompt-undo", 0), ("#prompt-new", 1)):
        click(page, 0.3, 0.3)
        page.locator(".pad-dot.pending").wait_for()
        page.locator(button).click()
        expect(page.locator(".pad-dot.pending")).to_have_count(0)
        expect(page.locator("#prompt-numbers tbody tr")).to_have_count(left)


def test_undo_takes_back_a_click_that_waits_and_leaves_the_one_before(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    click(page, 0.3, 0.3)
    expect(page.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    fake_app.script.pause = 2.0
    click(page, 0.6, 0.6)
    click(page, 0.7, 0.7)
    expect(page.locator(".pad-dot.pending")).to_have_count(2)
    page.locator("#prompt-undo").click()
    fake_app.script.pause = 0.0
    expect(page.locator(".pad-dot")).to_have_count(2)
    expect(page.locator("#prompt-numbers tbody")).to_contain_text("2 points")
    expect(page.locator(".pad-dot.pending")).to_have_count(0)
    page.locator("#prompt-undo").click()
    expect(page.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    page.wait_for_timeout(800)  # what was taken back does not come again
    expect(page.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    expect(page.locator(".pad-dot")).to_have_count(1)


def test_a_new_object_is_begun_while_a_click_waits_for_its_answer(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    fake_app.script.pause = 1.0
    click(page, 0.3, 0.3)
    page.wait_for_timeout(200)  # as fast as a person is
    page.locator("#prompt-new").click()
    page.wait_for_timeout(200)
    click(page, 0.7, 0.7)
    expect(page.locator(".pad-dot.pending")).to_have_count(0)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    assert ["1 point" in row for row in objects_pointed_at(page)] == [True, True]
    expect(page.locator(".pad-dot")).to_have_count(2)


def test_an_object_that_is_chosen_while_a_click_waits_stays_chosen(
    fake_app: FakeApp, visit: Visit, photo: Path
) -> None:
    page = visit(fake_app.address)
    open_pad(page, photo)
    click(page, 0.3, 0.3)
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(1)
    page.locator("#prompt-new").click()
    expect(page.locator("#prompt-object label:has(input)")).to_have_count(2)
    fake_app.script.pause = 1.0
    click(page, 0.7, 0.7)
    page.wait_for_timeout(200)
    page.locator("#prompt-object label:has(input)").first.click()
    expect(page.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(page.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    expect(page.locator("#prompt-object input").first).to_be_checked()
    fake_app.script.pause = 0.0
    click(page, 0.4, 0.4)
    expect(page.locator("#prompt-numbers tbody tr").first).to_contain_text("2 points")
