"""What *Compare samplers* runs, and what the tabs have in common, on a segmenter without a model."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilesamv2.comparison.compare import Comparison
from mobilesamv2.errors import InvalidImageError, PromptError
from mobilesamv2.images import ReadImage
from mobilesamv2.request import Request
from mobilesamv2.web import budgeting
from mobilesamv2.web.comparing import ALONE_COLOURS, CompareRequest, layers, overlays, request_of, summary_of
from mobilesamv2.web.steps import paced

from .fakes import Fake

STARTS = pytest.mark.parametrize("start", [Fake.compare, Fake.budget], ids=["compare", "budget"])
SIZE_HW = (32, 64)


def compared(photo: Path, *requests: Request, finds: int = 5) -> Comparison:
    *_, found = Fake(finds=finds).compare(photo, *requests)
    assert isinstance(found, Comparison)
    return found


@pytest.fixture
def found(wide_photo: Path) -> Comparison:
    return compared(wide_photo)


def test_a_comparison_gives_equal_pictures_with_and_without_prompts(found: Comparison) -> None:
    small = np.full((*SIZE_HW, 3), 128, dtype=np.uint8)
    plain, prompted = (overlays(small, found, with_prompts=asked) for asked in (False, True))
    assert {picture.shape for picture in (*plain, *prompted)} == {small.shape}
    for one, other in zip(plain, prompted, strict=True):
        assert not np.array_equal(one, other)


def test_layers_lie_over_the_picture_and_stay_clear_where_nothing_is(found: Comparison) -> None:
    drawn = layers(found, SIZE_HW)
    assert set(drawn) == {"left", "right", "left_prompts", "right_prompts", "alone"}
    assert {layer.shape for layer in drawn.values()} == {(*SIZE_HW, 4)}
    for layer in drawn.values():
        assert 0 < (layer[..., 3] > 0).mean() < 1


def test_what_only_one_found_has_the_colour_of_its_finder(found: Comparison) -> None:
    alone = layers(found, SIZE_HW)["alone"]
    painted = {tuple(colour) for colour in alone[alone[..., 3] > 0][:, :3].tolist()}
    assert painted == set(ALONE_COLOURS)


def test_partners_share_a_colour_and_leave_nothing_alone(wide_photo: Path) -> None:
    few, many = (Request("object-aware", max_prompts=budget) for budget in (4, 12))
    drawn = layers(compared(wide_photo, few, few, finds=12), SIZE_HW)
    assert np.array_equal(drawn["left"], drawn["right"])
    assert not drawn["alone"].any()
    summary = summary_of(compared(wide_photo, few, many, finds=12))
    assert [summary[side]["found_alone"] for side in ("left", "right")] == [0, 8]
    assert summary["matched"] == 4


def test_the_summary_has_the_record_of_both_sides_and_each_sampler_by_its_name(found: Comparison) -> None:
    summary = summary_of(found)
    assert summary["left"] == summary["grid"]
    assert summary["right"] == summary["object_aware"]
    assert summary["left"].items() >= found.first.to_record().items()
    assert (summary["grid"]["prompts"], summary["object_aware"]["prompts"]) == (64, 5)
    assert 0 < summary["left"]["coverage"] <= 1
    assert summary["left"]["masks"] == summary["left"]["found_alone"] + summary["matched"]
    assert summary["speedup"] > 1
    assert "faster" in summary["verdict"]


def test_two_grids_are_told_apart_by_side(wide_photo: Path) -> None:
    summary = summary_of(compared(wide_photo, *(Request("grid", points_per_side=side) for side in (2, 4))))
    assert [summary[side]["prompts"] for side in ("left", "right")] == [4, 16]
    assert summary["grid"] == summary["left"]
    assert "object_aware" not in summary


def test_nothing_found_is_shown_too(wide_photo: Path) -> None:
    found = compared(wide_photo, Request(), Request(), finds=0)
    assert not any(layer.any() for layer in layers(found, SIZE_HW).values())
    assert summary_of(found)["verdict"] == "Neither run kept a mask on this photo."


def test_what_goes_to_a_lent_gpu_and_back_can_be_pickled() -> None:
    asked = pickle.loads(pickle.dumps(CompareRequest(Request("grid", points_per_side=2), Request())))
    picture = ReadImage(np.zeros((20, 30, 3), np.uint8))
    running = Fake(finds=3).on_model(picture, None, asked, "nano")
    *_, found = (pickle.loads(pickle.dumps(item)) for item in running)
    assert [statistics.prompts for statistics in found.statistics] == [4, 3]


def test_a_request_may_ask_no_more_than_the_page_offers() -> None:
    assert request_of("grid", points_per_side=32, most=1024) == Request("grid", points_per_side=32)
    with pytest.raises(PromptError, match="grid:33 asks up to 1,089 prompts; here 1,024 are the most"):
        request_of("grid:33", most=1024)


@STARTS
def test_summaries_are_plain_json(start: Callable[..., Any], wide_photo: Path) -> None:
    *_, found = start(Fake(finds=0), wide_photo)
    summary = summary_of(found) if isinstance(found, Comparison) else budgeting.summary_of(found)
    assert set(json.loads(json.dumps(summary, allow_nan=False))) == set(summary)


@STARTS
def test_no_photo_is_told(start: Callable[..., Any]) -> None:
    with pytest.raises(InvalidImageError, match="There is no photo yet"):
        list(start(Fake(), ""))


@STARTS
@pytest.mark.parametrize("way", [lambda items: items, partial(paced, seconds=0.0)], ids=["as it is", "paced"])
def test_closing_a_run_stops_the_models_work(
    start: Callable[..., Any], way: Callable[..., Any], wide_photo: Path
) -> None:
    fake = Fake(finds=100)
    items = way(start(fake, wide_photo))
    while next(items).stage != "decode":
        pass
    items.close()
    assert (fake.script.started, fake.script.closed) == (1, 1)
