"""Names that every system accepts."""

from __future__ import annotations

import os

import pytest

from mobilesamv2.export import numbered, safe_name


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("photo.jpg", "photo"),
        ("my holiday.2024.jpeg", "my holiday.2024"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\Ann\\cat.png", "cat"),
        ("/", "photo"),
        ("", "photo"),
        ("..", "photo"),
        ("???.png", "photo"),
        ("what?.png", "what_"),
        ("line\nbreak\x00.png", "line_break_"),
        ("con.png", "con_"),
        ("LPT1.tar.gz", "LPT1.tar_"),
        ("console.png", "console"),
        ("Ünïcode 图.png", "Ünïcode 图"),
        ("u\u0308.png", "ü"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf_"),
        (" . photo . .png", "photo"),
        (".hidden", "hidden"),
    ],
)
def test_a_file_name_becomes_a_name_that_is_safe_everywhere(file_name: str, expected: str) -> None:
    assert safe_name(file_name) == expected


def test_long_names_are_cut() -> None:
    assert safe_name("a" * 300 + ".png") == "a" * 80


def test_the_fallback_can_be_chosen() -> None:
    assert safe_name("", fallback="picture") == "picture"


def test_equal_names_are_numbered_and_none_is_given_twice() -> None:
    names = list(numbered(["a", "A", "a-2", "a", "b"]))
    assert names == ["a", "A-2", "a-2-2", "a-3", "b"]
    assert len({name.casefold() for name in names}) == len(names)


def test_names_that_are_taken_are_not_given() -> None:
    assert list(numbered(["coco.json", "b"], taken=["COCO.json"])) == ["coco.json-2", "b"]


def test_no_names_are_none() -> None:
    assert list(numbered([])) == []
