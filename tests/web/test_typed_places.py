"""Places that are typed instead of pointed at."""

from __future__ import annotations

from typing import Any

import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.web.typed_places import read_place

POINT = {"kind": "point", "unit": "pixels", "x": 12.0, "y": 7.5}
BOX = {"kind": "box", "unit": "pixels", "corners": [1.0, 2.0, 30.0, 40.0]}


@pytest.mark.parametrize(
    ("words", "mode", "placed"),
    [
        ("12, 7.5", "on", POINT | {"label": 1}),
        ("12 7.5", "beside", POINT | {"label": 0}),
        ("(12; 7.5)", "box", POINT | {"label": 1}),
        ("[1, 2, 30, 40]", "on", BOX),
        ("  1,2\t30 ,40\n", "beside", BOX),
    ],
)
def test_two_numbers_are_a_point_and_four_a_box(words: str, mode: str, placed: dict[str, Any]) -> None:
    assert read_place(words, mode) == placed


@pytest.mark.parametrize(
    ("words", "got"), [("", "nothing"), ("12", "12"), ("1, 2, 3", "1, 2, 3"), ("left, top", "left, top")]
)
def test_anything_else_is_refused_in_a_sentence(words: str, got: str) -> None:
    with pytest.raises(PromptError, match=f"two numbers, x, y, for a point or four.*got {got}"):
        read_place(words, "on")
