"""Clicks in *Point and box* that wait for their answers, in a real browser, and what is done meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from .conftest import FakeApp
from .person import click, objects_pointed_at, open_tab


def test_clicks_that_follow_each_other_fast_all_count(fake_app: FakeApp, pad: Page) -> None:
    fake_app.script.pause = 0.1
    for x in (0.2, 0.4, 0.6, 0.8):
        click(pad, x, 0.5)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("4 points")
    expect(pad.locator(".pad-dot.pending")).to_have_count(0)


def test_a_click_that_waits_for_its_answer_is_lost_by_undo_but_not_by_a_new_object(
    fake_app: FakeApp, pad: Page
) -> None:
    fake_app.script.pause = 1.0
    for button, left in (("#prompt-undo", 0), ("#prompt-new", 1)):
        click(pad, 0.3, 0.3)
        pad.locator(".pad-dot.pending").wait_for()
        pad.locator(button).click()
        expect(pad.locator(".pad-dot.pending")).to_have_count(0)
        expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(left)


def test_undo_takes_back_a_click_that_waits_and_leaves_the_one_before(fake_app: FakeApp, pad: Page) -> None:
    click(pad, 0.3, 0.3)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    fake_app.script.pause = 2.0
    click(pad, 0.6, 0.6)
    click(pad, 0.7, 0.7)
    expect(pad.locator(".pad-dot.pending")).to_have_count(2)
    pad.locator("#prompt-undo").click()
    fake_app.script.pause = 0.0
    expect(pad.locator(".pad-dot")).to_have_count(2)
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("2 points")
    expect(pad.locator(".pad-dot.pending")).to_have_count(0)
    pad.locator("#prompt-undo").click()
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    pad.wait_for_timeout(800)  # what was taken back does not come again
    expect(pad.locator("#prompt-numbers tbody")).to_contain_text("1 point")
    expect(pad.locator(".pad-dot")).to_have_count(1)


def test_a_new_object_is_begun_while_a_click_waits_for_its_answer(fake_app: FakeApp, pad: Page) -> None:
    fake_app.script.pause = 1.0
    click(pad, 0.3, 0.3)
    pad.wait_for_timeout(200)  # as fast as a person is
    pad.locator("#prompt-new").click()
    pad.wait_for_timeout(200)
    click(pad, 0.7, 0.7)
    expect(pad.locator(".pad-dot.pending")).to_have_count(0)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(pad.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    assert ["1 point" in row for row in objects_pointed_at(pad)] == [True, True]
    expect(pad.locator(".pad-dot")).to_have_count(2)


def test_an_object_that_is_chosen_while_a_click_waits_stays_chosen(fake_app: FakeApp, pad: Page) -> None:
    click(pad, 0.3, 0.3)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(1)
    pad.locator("#prompt-new").click()
    expect(pad.locator("#prompt-object label:has(input)")).to_have_count(2)
    fake_app.script.pause = 1.0
    click(pad, 0.7, 0.7)
    pad.wait_for_timeout(200)
    pad.locator("#prompt-object label:has(input)").first.click()
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(pad.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    expect(pad.locator("#prompt-object input").first).to_be_checked()
    fake_app.script.pause = 0.0
    click(pad, 0.4, 0.4)
    expect(pad.locator("#prompt-numbers tbody tr").first).to_contain_text("2 points")


def test_a_click_that_fails_is_gone_and_what_was_done_since_stays(fake_app: FakeApp, pad: Page) -> None:
    fake_app.script.pause = 2.0
    click(pad, 0.3, 0.3)
    pad.locator("#prompt-new").click()
    click(pad, 0.7, 0.7)
    pad.locator("#prompt-new").click()
    expect(pad.locator("#prompt-numbers progress")).to_be_visible()  # the first is being answered
    fake_app.script.error = RuntimeError("a secret")  # of the second
    expect(pad.locator("#prompt-numbers .problem")).to_contain_text("Something went wrong on our side")
    fake_app.script.error, fake_app.script.pause = None, 0.0
    assert ["1 point" in row and "–" not in row for row in objects_pointed_at(pad)] == [True]
    expect(pad.locator(".pad-dot")).to_have_count(1)
    expect(pad.locator("#prompt-object input").last).to_be_checked()
    click(pad, 0.5, 0.5)
    expect(pad.locator("#prompt-numbers tbody tr")).to_have_count(2)
    expect(pad.locator("#prompt-numbers tbody")).not_to_contain_text("–")
    expect(pad.locator("#prompt-numbers .problem")).to_have_count(0)


def test_the_sentence_on_an_empty_tab_stays_as_dark_while_the_server_is_asked(
    fake_app: FakeApp, visit: Callable[..., Page]
) -> None:
    page = visit(fake_app.address)
    page.route("**/queue/data*", lambda route: None)  # what is asked now stays unanswered
    open_tab(page, "Point and box")
    page.locator("#prompt-numbers .pending").wait_for()
    page.wait_for_timeout(300)  # longer than any fading
    faded = page.locator("#prompt-numbers .idle").evaluate(
        """sentence => {
            const shown = [];
            for (let one = sentence; one; one = one.parentElement) shown.push(Number(getComputedStyle(one).opacity));
            return Math.min(...shown);
        }"""
    )
    assert faded == 1
