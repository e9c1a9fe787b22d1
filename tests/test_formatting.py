"""Numbers as people read them."""

from __future__ import annotations

import pytest

from mobilesamv2 import formatting as words


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0004, "0 ms"), (0.0352, "35 ms"), (0.9949, "995 ms"), (1.0, "1.00 s"), (12.34, "12.3 s")],
)
def test_seconds_have_as_many_digits_as_they_deserve(value: float, shown: str) -> None:
    assert words.seconds(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(1.44, "1.4 times"), (9.96, "10 times"), (120.2, "120 times")])
def test_ratios_have_as_many_digits_as_they_deserve(value: float, shown: str) -> None:
    assert words.times(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (0.0004, "under 0.1 %"),
        (0.0042, "0.4 %"),
        (0.0097, "1 %"),
        (0.614, "61 %"),
        (0.99, "99 %"),
        (0.9962, "99.6 %"),
        (0.99999, "over 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_only_nothing_is_0_percent_and_only_all_of_it_is_100(share: float, shown: str) -> None:
    assert words.percent(share) == shown


def test_numbers_agree_with_their_nouns() -> None:
    assert words.count(1, "box", "boxes") == "1 box"
    assert words.count(0, "mask") == "0 masks"
    assert words.count(1024, "point") == "1,024 points"


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (7_200, "7 kB"),
        (6_717_138, "6.7 MB"),
        (40_728_226, "41 MB"),
        (999_600_000, "1.0 GB"),
        (2_560_000_000, "2.6 GB"),
        (25_000_000_000, "25 GB"),
    ],
)
def test_sizes_have_as_many_digits_as_they_deserve(count: int, shown: str) -> None:
    assert words.data_size(count) == shown


def test_numbers_and_their_units_stay_on_one_line() -> None:
    kept = words.unbroken("9 seconds: 61 % in 1.20 s, a 16 × 16 grid over 99.9 % in 35 ms").split(" ")
    assert [part.replace("\N{NO-BREAK SPACE}", "_") for part in kept] == [
        *("9", "seconds:", "61_%", "in", "1.20_s,", "a", "16_×_16", "grid", "over", "99.9_%", "in", "35_ms")
    ]
