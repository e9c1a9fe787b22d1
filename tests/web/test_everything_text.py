"""Sentences and numbers of the *Segment everything* tab."""

from __future__ import annotations

from typing import Any

import pytest

from mobilesamv2.web.text import everything as text
from mobilesamv2.web.text import page


def summary(**changed: Any) -> dict[str, Any]:
    return {
        "device": "CPU, 2 threads",
        "sampler": "object-aware",
        "prompts": 40,
        "prompts_decoded": 40,
        "is_exhausted": False,
        "can_answer": True,
        "masks_decoded": 40,
        "masks": 40,
        "coverage": 0.613,
        "seconds": {"encode": 0.1, "decode": 0.4},
        "total_seconds": 0.5,
        "hint": None,
        **changed,
    }


def mask(**changed: Any) -> dict[str, Any]:
    prompt = {"number": 3, "box": [1.0, 2.4, 30.0, 40.0], "points": None, "confidence": 0.81}
    return {
        "number": 7,
        "area": 1234,
        "share": 0.0321,
        "score": 0.81,
        "predicted_iou": 0.9,
        "stability": None,
        "box": [5, 6, 25, 36],
        "prompt": prompt,
        "part_of": None,
        "parts": [],
        **changed,
    }


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "40</dd><dt>masks</dt>"),
        ({"masks": 12}, "masks of 40 decoded"),
        ({"masks": 1, "masks_decoded": 1}, "1</dd><dt>mask</dt>"),
        ({"prompts": 16}, "Answered at once: 16 of the 40 prompts"),
        ({"prompts": 16}, "<dt>for all 40</dt>"),
        ({"can_answer": False}, "Press Decode the rest"),
        (
            {"can_answer": False, "sampler": "grid"},
            "40 points of the decoded grid. Press Decode the larger grid",
        ),
        ({"is_exhausted": True}, "found 40 boxes at this confidence"),
        ({"hint": "Try this."}, "Try this."),
    ],
)
def test_the_numbers_say_what_is_shown_and_what_to_do(changed: dict[str, Any], words: str) -> None:
    assert words in text.numbers(summary(**changed))


def test_coverage_is_told_in_percent() -> None:
    assert "61\N{NO-BREAK SPACE}%" in text.numbers(summary()) or "61 %" in text.numbers(summary())


def test_the_first_example_is_called_one() -> None:
    assert "This is an example" in text.numbers(summary(hint="x"), is_example=True)


def test_one_mask_is_told_with_units_and_its_prompt() -> None:
    told = text.card(mask()).replace("\N{NO-BREAK SPACE}", " ")
    for words in (
        "Mask 7",
        "1,234 pixels",
        "3 %",
        "20 × 30 px at 5, 6",
        "0.81",
        "not known",
        "box 3 (1, 2, 30, 40)",
    ):
        assert words in told, words


def test_the_whole_and_the_parts_of_a_mask_can_be_chosen() -> None:
    told = text.card(mask(part_of={"index": 4, "number": 9}, parts=[{"index": 0, "number": 2}]))
    assert "Part of</dt>" in told
    assert 'data-mask="4" aria-label="Show mask 9 alone">9<' in told
    assert "Parts</dt>" in told
    assert 'data-mask="0"' in told
    alone = text.card(mask())
    assert "Part of" not in alone
    assert "Parts" not in alone


def test_of_many_parts_the_largest_are_named() -> None:
    told = text.card(mask(parts=[{"index": index, "number": index + 1} for index in range(1212)]))
    assert told.count("data-mask=") == text.MOST_PARTS == 12
    assert "and 1,200 more" in told


def test_a_point_is_told_where_it_is() -> None:
    prompt = {"number": 9, "box": None, "points": [[12.4, 7.0, 1]], "confidence": None}
    told = text.card(mask(prompt=prompt))
    assert "point 9 (12, 7)" in told
    assert "confidence" not in told


def test_names_from_outside_bring_no_markup() -> None:
    assert "<img" not in text.numbers(summary(device="<img src=x>"))


@pytest.mark.parametrize(
    ("prompts", "decoded", "words"),
    [(0, 0, "No objects"), (4, 0, "No prompt gave a mask"), (4, 4, "None of the 4 masks")],
)
def test_a_hint_says_what_to_try(prompts: int, decoded: int, words: str) -> None:
    hint = text.hint("object-aware", prompts=prompts, decoded=decoded, masks=0)
    assert hint is not None
    assert words.replace(" ", "") in hint.replace("\N{NO-BREAK SPACE}", "").replace(" ", "")
    assert text.hint("object-aware", prompts=prompts, decoded=decoded, masks=1) is None


def test_a_download_is_told_in_bytes() -> None:
    told = page.step("fetch", 12_000_000, 41_000_000).replace("\N{NO-BREAK SPACE}", " ")
    assert "Fetching the model, 12 MB of 41 MB" in told
    assert 'max="41000000"' in told
    assert "value=" not in page.step("fetch", 12_000_000, 0)
