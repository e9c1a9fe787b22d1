from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobilesamv2.comparison.compare import (
    Comparison,
    compare,
    compare_steps,
    warm_up,
)
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES
from mobilesamv2.segmenter import Segmenter
from tests.tiny import picture, spied, tiny_segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture(scope="module")
def comparison(segmenter: Segmenter) -> Comparison:
    return compare(segmenter, picture(), Request("grid", points_per_side=4), Request(max_prompts=2))


def test_both_samplers_run_with_their_own_budget(comparison: Comparison) -> None:
    assert (comparison.first.sampler, len(comparison.first.prompts)) == ("grid", 16)
    assert (comparison.second.sampler, len(comparison.second.prompts)) == ("object-aware", 2)


def test_one_encoding_serves_both(comparison: Comparison) -> None:
    assert comparison.first.timings["encode"] == comparison.second.timings["encode"] > 0


def test_the_speedup_is_the_ratio_of_the_seconds_that_depend_on_the_sampler(comparison: Comparison) -> None:
    grid, object_aware = comparison.records()
    first, second = comparison.statistics
    assert comparison.speedup == first.sampling_seconds / second.sampling_seconds
    for row in (grid, object_aware):
        assert row["sampling_seconds"] == pytest.approx(sum(row["seconds"][stage] for stage in STAGES[2:]), abs=1e-5)


def test_rows_count_prompts_and_masks(comparison: Comparison) -> None:
    grid, object_aware = comparison.records()
    assert (grid["prompts"], grid["masks_decoded"], grid["masks"]) == (16, 48, len(comparison.first.masks))
    assert (object_aware["prompts"], object_aware["masks_decoded"]) == (2, 2)
    assert grid["duplicates_removed"] == comparison.first.duplicates_removed > 0
    assert object_aware["duplicates_removed"] == 0
    assert comparison.names == (grid["name"], object_aware["name"]) == ("grid", "object-aware")
    pairs = len(comparison.matching)
    assert [row["masks"] - row["found_alone"] for row in (grid, object_aware)] == [pairs, pairs]
    assert 0 < object_aware["coverage"] <= 1


def test_progress_is_told_for_both_samplers(segmenter: Segmenter) -> None:
    stages = [step.stage for step in compare_steps(segmenter, picture(), Request("grid", points_per_side=2))]
    assert stages.count("discover") == 2
    assert stages[0] == "encode"


@pytest.mark.parametrize(
    ("requests", "prompts"),
    [
        ((Request("object-aware", max_prompts=1), Request("object-aware", max_prompts=3)), (1, 3)),
        ((Request("grid", points_per_side=2), Request("grid", max_prompts=10)), (4, 9)),
        ((Request("object-aware"), Request("grid", points_per_side=1)), (3, 1)),
    ],
)
def test_any_two_samplers_and_budgets_meet_on_an_encoding_made_before(
    segmenter: Segmenter, requests: tuple[Request, Request], prompts: tuple[int, int]
) -> None:
    embedding = segmenter.encode(picture())
    steps = compare_steps(segmenter, picture(), *requests, embedding=embedding)
    assert next(steps).stage == "discover"
    found = compare(segmenter, picture(), *requests, embedding=embedding)
    assert (len(found.first.prompts), len(found.second.prompts)) == prompts
    assert [result.request for result in (found.first, found.second)] == list(requests)
    assert found.first.timings["encode"] == found.second.timings["encode"] == embedding.timings["encode"]


def test_a_request_against_itself_finds_the_same(segmenter: Segmenter) -> None:
    grid = Request("grid", points_per_side=4)
    found = compare(segmenter, picture(), grid, grid)
    assert len(found.matching) == len(found.first.masks) > 0
    assert [run.alone for run in found.statistics] == [0, 0]
    assert found.names == ("grid:4 first", "grid:4 second")


def test_finding_nothing_is_compared_too() -> None:
    found = compare(tiny_segmenter(boxes=()), picture(), Request("grid", points_per_side=2))
    assert found.statistics[1].masks == found.statistics[1].prompts == 0
    assert found.statistics[1].coverage == 0
    assert found.statistics[0].alone == found.statistics[0].masks


def test_closing_a_comparison_stops_it(segmenter: Segmenter) -> None:
    steps = compare_steps(segmenter, picture())
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_before_seconds_are_measured_on_a_gpu_one_mask_of_each_kind_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segmenter = tiny_segmenter()
    embedding = segmenter.encode(picture())
    asked: list[Any] = []
    decode = segmenter._decode
    monkeypatch.setattr(segmenter, "_decode", spied(decode, asked))
    warm_up(segmenter, picture(), embedding)
    assert asked == []
    monkeypatch.setattr(type(segmenter), "device", torch.device("meta"))
    monkeypatch.setattr(
        segmenter,
        "_decode",
        spied(lambda *_: (torch.zeros(1, 1, 8, 8), torch.zeros(1, 1)), asked),
    )
    warm_up(segmenter, picture(), embedding)
    assert [(prompts.boxes_xyxy is None, prompts.multimask) for _, prompts, *_ in asked] == [
        (False, False),
        (True, True),
    ]


def test_the_records_say_that_a_dim_picture_was_brightened() -> None:
    deep = Image.fromarray(np.linspace(0, 4095, 20 * 30).reshape(20, 30).astype(np.uint16))
    found = compare(tiny_segmenter(), deep, Request(max_prompts=1), Request("grid", points_per_side=2))
    assert [record["image"]["scaled_to_own_range"] for record in found.records()] == [True, True]
