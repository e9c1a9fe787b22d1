"""Sentences and numbers on the page."""

from __future__ import annotations

import pytest

from mobilesamv2.web.text import page
from mobilesamv2.web.text.everything import prompts_info, run_hint
from mobilesamv2.web.text.tables import stage_bar


@pytest.mark.parametrize(("prompts", "side"), [(16, 4), (320, 17), (1023, 31), (1024, 32)])
def test_the_grid_that_is_told_is_the_largest_that_fits(prompts: int, side: int) -> None:
    assert f"{side} × {side} = {side * side} points" in prompts_info("grid", prompts)


def test_the_stage_bar_names_each_stage_and_fills_the_bar() -> None:
    bar = stage_bar({"encode": 1.0, "decode": 3.0})
    assert "flex-grow:0.25000" in bar
    assert "flex-grow:0.75000" in bar
    assert "encode <b>1.00 s</b>" in bar


def test_no_time_at_all_still_makes_a_bar() -> None:
    assert "flex-grow:0.00000" in stage_bar({"encode": 0.0})


@pytest.mark.parametrize(
    ("sampler", "prompts", "masks", "words"),
    [
        ("object-aware", 0, 0, "No objects above"),
        ("object-aware", 4, 0, "No mask passed"),
        ("grid", 64, 0, "No mask passed"),
    ],
)
def test_a_hint_says_what_to_try(sampler: str, prompts: int, masks: int, words: str) -> None:
    hint = run_hint(sampler, prompts=prompts, masks=masks)
    assert hint is not None
    assert words in hint
    assert run_hint(sampler, prompts=prompts, masks=1) is None


def test_names_from_outside_cannot_bring_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    for html in (
        stage_bar({evil: 1.0}),
        page.running_on(evil),
        page.idle(evil),
        page.colophon(evil),
    ):
        assert "<img" not in html


def test_a_step_with_a_total_shows_how_far_it_is() -> None:
    assert 'value="128" max="320"' in page.step("decode", 128, 320)
    assert "128 of 320" in page.step("decode", 128, 320)
    assert "value=" not in page.step("encode", 0, 1)
