"""What is asked of a run: written down, read back, refused in one set of sentences."""

from __future__ import annotations

import json
import math
import pickle
from typing import Any, cast

import numpy as np
import pytest

from mobilesamv2.errors import PromptError, UnknownModelError
from mobilesamv2.filters import MaskFilters, ViewFilters
from mobilesamv2.prompts import SAMPLERS, GridSampler, ObjectAwareSampler, Sampler, make_sampler
from mobilesamv2.request import Request
from mobilesamv2.sampler_kinds import chosen_samplers

from .tiny import Boxes


@pytest.mark.parametrize(
    ("text", "request_", "most"),
    [
        ("grid", Request("grid", points_per_side=8), 64),
        ("grid:16", Request("grid", points_per_side=16), 256),
        ("object-aware", Request("object-aware", max_prompts=100), 100),
        ("grid:16:single", Request("grid", points_per_side=16, multimask=False), 256),
        ("hierarchical", Request("hierarchical", points_per_side=8), 64),
        ("box-centres:9", Request("box-centres", max_prompts=9), 9),
        ("box-centres:single", Request("box-centres", max_prompts=100, multimask=False), 100),
        ("coverage", Request("coverage", max_prompts=100), 100),
        (" object-aware:64 ", Request("object-aware", max_prompts=64), 64),
    ],
)
def test_a_request_can_be_written_down(text: str, request_: Request, most: int) -> None:
    read = Request.parse(text, max_prompts=100, points_per_side=8)
    assert read == request_
    assert read.prompts_at_most == most
    assert Request.parse(str(read)) == read


def test_a_request_without_numbers_has_the_usual_ones() -> None:
    assert str(Request()) == "object-aware:320"
    assert str(Request("grid")) == "grid:32"
    assert Request("grid", max_prompts=30).prompts_at_most == 25


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("dots", UnknownModelError, "There is no sampler 'dots'"),
        ("", UnknownModelError, "There is no sampler ''"),
        ("grid:", PromptError, "whole number"),
        ("grid:16:double", PromptError, "'grid:16:double'"),
        ("grid:single:16", PromptError, ":single"),
        ("object-aware:9:9", PromptError, "whole number"),
        ("grid:many", PromptError, "'grid:many'"),
        ("grid:-4", PromptError, "whole number"),
        ("grid:" + "9" * 5000, PromptError, "whole number"),
        ("object-aware:" + "9" * 10, PromptError, "whole number"),
        ("object-aware:0", PromptError, "max_prompts must be at least 1; got 0"),
        ("grid:0", PromptError, "points_per_side must be at least 1; got 0"),
        ("grid:1001", PromptError, "One run asks at most 1,000,000 prompts"),
        ("grid:999999999", PromptError, "points per side squared"),
        ("object-aware:1000001", PromptError, "at most 1,000,000"),
    ],
)
def test_what_names_no_request_is_refused(text: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Request.parse(text)


def test_points_belong_to_grids() -> None:
    with pytest.raises(PromptError, match="belongs to grid search"):
        Request("object-aware", points_per_side=4)


@pytest.mark.parametrize(
    ("names", "samplers"),
    [
        ("coverage, grid", ("grid", "coverage")),
        (["box-centres"], ("box-centres",)),
        ("all", tuple(SAMPLERS)),
    ],
)
def test_samplers_are_named_in_one_text_or_in_a_list(names: str | list[str], samplers: tuple[str, ...]) -> None:
    assert chosen_samplers(names) == samplers


def test_no_sampler_and_unknown_ones_are_refused() -> None:
    with pytest.raises(PromptError, match="at least one sampler: object-aware, grid"):
        chosen_samplers([])
    with pytest.raises(UnknownModelError, match="There is no sampler 'dots'"):
        chosen_samplers("grid,dots")
    for other in (True, 5.0, {"grid": 1}):
        with pytest.raises(PromptError, match=r"Samplers are names, .* got "):
            chosen_samplers(other)  # type: ignore[arg-type]


def test_every_sampler_can_be_made_by_its_name() -> None:
    for name in SAMPLERS:
        made = make_sampler(Request(name), detector=Boxes([]), grid_filters=MaskFilters(), model_name="tiny")
        assert made.name == name


def test_a_sampler_is_made_with_what_the_request_says() -> None:
    own, detector = MaskFilters(box_nms=0.5), Boxes([])

    def made(request: Request) -> Sampler:
        return make_sampler(request, detector=detector, grid_filters=own, model_name="tiny")

    assert made(Request("grid", max_prompts=30)) == GridSampler(5, filters=own)
    assert made(Request("grid", mask_filters=MaskFilters())) == GridSampler(32, filters=MaskFilters())
    assert made(Request(confidence=0.0)) == ObjectAwareSampler(detector, 320, confidence=0.0)
    assert made(Request(max_prompts=7, mask_filters=own)) == ObjectAwareSampler(detector, 7, filters=own)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_prompts": 1.5}, "max_prompts must be a whole number; got 1.5"),
        ({"max_prompts": True}, "max_prompts must be a whole number"),
        ({"confidence": 1.1}, "confidence must lie within 0 to 1; got 1.1"),
        ({"confidence": "sure"}, "confidence must lie within 0 to 1; got 'sure'"),
        ({"max_prompts": "9"}, "max_prompts must be a whole number; got '9'"),
        ({"confidence": math.nan}, "confidence must lie within 0 to 1"),
        ({"sampler": "grid", "confidence": 0.5}, "grid search has none"),
        ({"sampler": "hierarchical", "confidence": 0.5}, "hierarchical search has none"),
        ({"sampler": "coverage", "points_per_side": 4}, "coverage sampling takes max_prompts"),
        ({"multimask": True}, "object-aware sampling asks for one mask of each box"),
        ({"sampler": "grid", "multimask": "yes"}, "multimask must be true or false; got 'yes'"),
        ({"sampler": "grid", "multimask": 1}, "multimask must be true or false; got 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PromptError, match=words):
        Request(**options)


def test_a_larger_grid_than_the_usual_one_can_be_asked_for_by_its_prompts() -> None:
    assert Request("grid", max_prompts=10_000).prompts_at_most == 10_000
    assert Request("grid", max_prompts=10_000, points_per_side=8).prompts_at_most == 64


def test_numbers_of_numpy_are_numbers_and_json() -> None:
    request = Request(max_prompts=cast(int, np.int64(5)), confidence=cast(float, np.float32(0.5)))
    assert request == Request(max_prompts=5, confidence=0.5)
    assert json.loads(json.dumps(request.to_record()))["max_prompts"] == 5


def test_requests_are_values() -> None:
    one = Request(max_prompts=5, view=ViewFilters(min_area=3))
    assert pickle.loads(pickle.dumps(one)) == one
    assert len({one, Request(max_prompts=5, view=ViewFilters(min_area=3)), Request()}) == 2
    assert Request("grid").source != Request("grid", multimask=False).source
    assert Request("grid").to_record()["multimask"] is True
    assert one.to_record()["multimask"] is False
    assert one.source == Request(max_prompts=9, confidence=0.4).source != Request(confidence=0.5).source
