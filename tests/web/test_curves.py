"""Line charts: where their points are, and what they say to those who do not see them."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from mobilesamv2.formatting import seconds
from mobilesamv2.web.text.curves import Line, chart, rounds_up_to


def number(value: float) -> str:
    return f"{value:g}"


@pytest.mark.parametrize(
    ("value", "rounds"),
    [
        (0, [0, 1]),
        (-1, [0, 1]),
        (1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (45, [0, 10, 20, 30, 40, 50]),
        (1024, [0, 250, 500, 750, 1000, 1250]),
        (3.1, [0, 1, 2, 3, 4]),
    ],
)
def test_axes_end_at_round_numbers(value: float, rounds: list[float]) -> None:
    assert rounds_up_to(value) == pytest.approx(rounds)


@pytest.mark.parametrize("value", [1e-4, 0.037, 0.25, 0.5, 7, 99, 100, 101, 640, 12345])
def test_axes_have_few_numbers_and_reach_the_value(value: float) -> None:
    rounds = rounds_up_to(value)
    assert 2 <= len(rounds) <= 6
    assert rounds[-1] >= value * (1 - 1e-9)
    assert rounds[-2] < value


def test_each_doubling_is_one_step_to_the_right_and_values_go_up() -> None:
    html = chart("Masks", [Line("grid", "Grid", ((16, 0), (32, 5), (64, 10)))], ticks=(16, 32, 64), told=number)
    dots = re.findall(r'class="dot grid" style="left:([\d.]+)%;bottom:([\d.]+)%"', html)
    assert dots == [("0.00", "0.00"), ("50.00", "50.00"), ("100.00", "100.00")]
    assert 'points="0.00,100.00 50.00,50.00 100.00,0.00"' in html
    assert 'aria-label="Masks against prompts asked. Grid: 10 at 64. The table has every point."' in html


def test_a_line_that_starts_before_the_first_mark_stays_inside() -> None:
    html = chart("Masks", [Line("aware", "Boxes", ((3, 3),))], ticks=(16, 64), told=number)
    assert 'style="left:0.00%' in html


def test_one_mark_and_no_points_are_a_chart() -> None:
    html = chart("Masks", [Line("aware", "Boxes", ())], ticks=(16,), told=number)
    assert "Nothing measured yet" in html
    assert 'points=""' in html


def test_names_from_outside_cannot_bring_markup() -> None:
    html = chart("<b>", [Line("aware", "<i>", ((16, 1),))], ticks=(16,), told=number)
    assert "<b><b>" not in html
    assert "<i>," not in html


@pytest.mark.parametrize("most", range(12))
def test_counts_have_no_fractions_on_their_axis(most: int) -> None:
    html = chart("Masks", [Line("grid", "Grid", ((16, most),))], ticks=(16,), told=number, whole=True)
    marks = [int(mark) for mark in re.findall(r'<span class="y"[^>]*>([^<]*)</span>', html)]
    assert len(marks) == len(set(marks)) >= 2
    assert len({after - before for before, after in pairwise(marks)}) == 1
    assert marks[-1] >= most


def test_round_numbers_on_the_axis_have_no_zeros_behind_their_point() -> None:
    html = chart("Time", [Line("grid", "Grid", ((16, 4.4),))], ticks=(16,), told=seconds)
    marks = re.findall(r'<span class="y"[^>]*>([^<]*)</span>', html)
    assert marks == ["0 ms", "1 s", "2 s", "3 s", "4 s", "5 s"]
    assert "4.40 s" in html
    halves = chart("Time", [Line("grid", "Grid", ((16, 11.0),))], ticks=(16,), told=seconds)
    assert re.findall(r'<span class="y"[^>]*>([^<]*)</span>', halves)[:2] == ["0 ms", "2.5 s"]
