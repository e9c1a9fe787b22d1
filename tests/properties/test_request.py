"""A request is what was asked, or one of two errors; nothing in between."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilesamv2.errors import PromptError, UnknownModelError
from mobilesamv2.request import Request
from mobilesamv2.sampler_kinds import SAMPLERS

NUMBERS = st.one_of(st.none(), st.integers(1, 1000))
ODD = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=5))


@given(st.sampled_from(list(SAMPLERS)), st.integers(1, 1000))
def test_a_request_is_read_back_from_its_text(sampler: str, limit: int) -> None:
    request = Request.parse(f"{sampler}:{limit}")
    assert str(request) == f"{sampler}:{limit}"
    assert Request.parse(str(request)) == request


@given(NUMBERS, NUMBERS)
def test_a_grid_asks_a_square_within_its_budget(max_prompts: int | None, side: int | None) -> None:
    asked = Request("grid", max_prompts=max_prompts, points_per_side=side).prompts_at_most
    assert math.isqrt(asked) ** 2 == asked >= 1
    assert max_prompts is None or asked <= max_prompts
    assert side is None or asked <= side**2


@given(st.text(max_size=20))
def test_any_text_is_a_request_or_an_error_of_ours(text: str) -> None:
    try:
        request = Request.parse(text)
    except (PromptError, UnknownModelError):
        return
    assert request.prompts_at_most >= 1


@given(st.sampled_from([*SAMPLERS, "other"]), ODD, ODD, ODD)
def test_any_values_are_a_request_with_a_record_or_an_error_of_ours(
    sampler: str, max_prompts: Any, points_per_side: Any, confidence: Any
) -> None:
    try:
        request = Request(sampler, max_prompts=max_prompts, points_per_side=points_per_side, confidence=confidence)
    except (PromptError, UnknownModelError):
        return
    record = json.loads(json.dumps(request.to_record(), allow_nan=False))
    assert record["sampler"] == sampler
    assert record["max_prompts"] >= 1


@given(st.integers(max_value=0))
def test_a_budget_below_one_is_refused(budget: int) -> None:
    with pytest.raises(PromptError, match="at least 1"):
        Request(max_prompts=budget)
