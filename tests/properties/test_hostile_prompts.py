"""Prompts of any form are prompts for a model or one sentence: in the library, and as JSON from the page."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from mobilesamv2.errors import PromptError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.prompts.given import masks_from, prompts_from
from mobilesamv2.web.prompt_lists import Limits, read_prompts
from mobilesamv2.web.prompting import _object
from mobilesamv2.web.values import ValueKind, read_query

SIZE_HW = (40, 60)
NUMBERS = st.one_of(
    st.integers(-3, 70),
    st.floats(),
    st.sampled_from([10**400, -(10**25), 1e308, 2**63, -0.5, 59.5, 1e-323, True]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=12,
)
NEARLY = st.one_of(
    VALUES,
    st.lists(NUMBERS, min_size=2, max_size=4),
    st.lists(st.lists(NUMBERS, min_size=2, max_size=4), max_size=4),
    st.lists(st.lists(st.lists(NUMBERS, min_size=2, max_size=2), max_size=3), max_size=3),
)
"""What people mean, nearly."""


@given(NEARLY, NEARLY, NEARLY, st.booleans())
@example([[[1, 1]], [[2, 2], [3, 3]]], [[1], [1, 0]], None, False)
def test_json_is_prompts_or_a_sentence(points: Any, labels: Any, boxes: Any, as_text: bool) -> None:
    given_ = [json.dumps(each) if as_text else each for each in (points, labels, boxes)]
    try:
        objects = read_prompts(*given_, limits=Limits(objects=3, points=3))
    except PromptError as error:
        is_sentence(error)
        return
    assert 1 <= len(objects) <= 3
    for prompts in objects:
        assert len(prompts) == 1
        for array in (prompts.points, prompts.boxes_xyxy):
            assert array is None or np.isfinite(array).all()


@given(st.dictionaries(st.sampled_from(["points", "labels", "boxes", "number"]), NEARLY, max_size=4))
def test_a_question_of_the_page_is_one_object_or_a_sentence(question: dict[str, Any]) -> None:
    try:
        prompts = _object(question, Limits(objects=40, points=3))
    except PromptError as error:
        is_sentence(error)
        return
    assert len(prompts) == 1


@given(st.one_of(st.none(), NEARLY), st.one_of(st.none(), NEARLY), st.one_of(st.none(), NEARLY))
@example([0, 0], [], None)
@example([[]], [], None)
@example(None, None, [0, 3.4028235677973366e38])
@example(None, None, [0, 0, 10**400, 1])
def test_what_a_program_gives_is_prompts_within_the_picture_or_a_sentence(points: Any, labels: Any, boxes: Any) -> None:
    try:
        prompts = prompts_from(points=points, labels=labels, boxes=boxes, multimask=False, size_hw=SIZE_HW)
    except PromptError as error:
        is_sentence(error)
        return
    for array in (prompts.points, prompts.boxes_xyxy):
        assert array is None or (np.isfinite(array).all() and array.dtype == np.float32)


@given(NEARLY, st.integers(0, 2))
@example(None, 0)
@example([[0, 0], [0, 0, 0]], 0)
@example([2**63, 2**63], 0)
def test_masks_to_refine_are_masks_or_a_sentence(masks: Any, count: int) -> None:
    try:
        made = masks_from(masks, count=count, side=8, resize=ResizeLongestSide(SIZE_HW, 64))
    except PromptError as error:
        is_sentence(error)
        return
    assert made.shape == (count, 1, 8, 8)
    assert made.dtype == torch.float32


SETTINGS = (
    ValueKind("prompts", low=16, high=1024, is_whole=True),
    ValueKind("confidence", low=0.05, high=0.9),
    ValueKind("sampler", choices=("object-aware", "grid")),
    ValueKind("nested"),
)


@given(
    st.dictionaries(
        st.sampled_from([each.name for each in SETTINGS]), st.one_of(st.text(max_size=12), NUMBERS.map(str))
    )
)
def test_an_address_is_settings_within_their_range_or_says_what_is_wrong(query: dict[str, str]) -> None:
    values, wrong = read_query(query, SETTINGS)
    assert set(values) <= set(query)
    assert (len(values) < len(query)) == (wrong is not None)
    assert 16 <= values.get("prompts", 16) <= 1024
    assert 0.05 <= values.get("confidence", 0.05) <= 0.9


def is_sentence(error: Exception) -> None:
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    assert len(str(error)) < 400
