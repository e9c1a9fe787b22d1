"""Sentences and tables of *Compare samplers*."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mobilesamv2.request import Request
from mobilesamv2.web import comparing as text
from mobilesamv2.web.settings import Settings


def run(asked: str, *, decode: float, device: str = "CPU, 2 threads") -> dict[str, Any]:
    seconds = {"preprocess": 0.01, "encode": 0.1, "discover": 0.0, "decode": decode}
    return {
        "request": Request.parse(asked).to_record(),
        "image": {"width": 4000, "height": 3000},
        "device": device,
        "prompts": 1024,
        "masks_decoded": 3072,
        "duplicates_removed": 17,
        "masks": 50,
        "found_alone": 9,
        "coverage": 0.614,
        "seconds": seconds,
        "sampling_seconds": decode,
        "total_seconds": sum(seconds.values()),
    }


def summary(
    left: str = "grid:32", right: str = "object-aware:320", *, speedup: float | None = 20.0, **changed: Any
) -> dict[str, Any]:
    return {
        "left": run(left, decode=2.0),
        "right": run(right, decode=0.1),
        "matched": 41,
        "match_iou": 0.5,
        "speedup": speedup,
        "verdict": "One was faster: 50 over 61 %.",
        **changed,
    }


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    return [[re.sub("<.*?>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in rows]


def test_the_table_has_a_row_for_each_with_all_its_numbers() -> None:
    head, left, right = cells(text.numbers(summary()))
    assert len(head) == len(left) == len(right)
    assert left == [
        *("Grid 32 × 32", "1,024", "3,072", "17", "50", "9", "61 %"),
        *("2.00 s", "2.00 s", "1 ×"),
    ]
    assert (right[0], right[-1]) == ("Object-aware 320", "20 ×")


@pytest.mark.parametrize(("speedup", "told"), [(None, "–"), (1.04, "1.0 ×"), (0.5, "0.5 ×"), (0.0123, "0.012 ×")])
def test_a_speed_has_the_digits_it_deserves(speedup: float | None, told: str) -> None:
    assert cells(text.numbers(summary(speedup=speedup)))[2][-1] == told


def details(told: dict[str, Any]) -> str:
    return text.details(told, shown_wh=(1600, 1200))


def test_bars_share_one_scale_and_have_every_stage_in_figures() -> None:
    html = details(summary())
    shares = [float(share) for share in re.findall(r"--share:([\d.]+)%", html)]
    assert shares == [100.0, pytest.approx(100 * 0.21 / 2.11, abs=0.01)]
    told = re.sub("<.*?>", " ", html)
    for words in (
        r"Grid 32 × 32\s+2.11 s",
        r"Object-aware 320\s+210 ms",
        r"decode\s+2.00 s",
        r"decode\s+100 ms",
    ):
        assert re.search(words, told)


def test_no_time_at_all_still_makes_bars() -> None:
    nothing = run("grid:8", decode=0.0) | {"seconds": {"decode": 0.0}, "total_seconds": 0.0}
    assert "--share:0.00%" in details(summary() | {"left": nothing, "right": nothing})


def test_details_say_what_is_shared() -> None:
    html = details(summary())
    for words in ("one encoding of 110 ms on CPU, 2 threads", "at least 0.5", "shown at 1600 × 1200"):
        assert words in html


def test_the_view_of_what_one_found_counts_for_each() -> None:
    assert text.found_by(summary()) == {
        "left": "Only Grid 32 × 32: 9",
        "right": "Only Object-aware 320: 9",
        "matched": "Both: 41",
    }


def test_the_menu_offers_what_can_be_read_and_what_is_chosen_first() -> None:
    settings = Settings()
    choices = text.choices(settings.prompts, settings.grid_sides)
    values = [value for _, value in choices]
    assert len(set(values)) == len(values)
    assert {"grid:8", "grid:32", "object-aware:16", "object-aware:320", "object-aware:1024"} <= set(values)
    for label, value in choices:
        assert text.name_of(Request.parse(value).to_record()) == label
        assert Request.parse(value).prompts_at_most <= settings.prompts.high


def test_names_from_outside_cannot_bring_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    told = summary(verdict=evil) | {"left": run("grid:8", decode=1.0, device=evil)}
    for html in (text.outcome(told), details(told)):
        assert "<img" not in html
