"""What *Compare samplers* does, and what the tabs have in common, on a segmenter without a model."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilesamv2.comparison.compare import SamplerSpec
from mobilesamv2.errors import PromptError
from mobilesamv2.web import comparing
from mobilesamv2.web.comparing import ALONE_COLOURS, CompareView, contender_of
from mobilesamv2.web.steps import paced

from .fakes import Fake

STARTS = pytest.mark.parametrize("start", [Fake.compare, Fake.budget], ids=["compare", "budget"])


@pytest.fixture
def view(wide_photo: Path) -> CompareView:
    *_, view = Fake(finds=5).compare(wide_photo)
    assert isinstance(view, CompareView)
    return view


def test_a_comparison_gives_equal_pictures_with_and_without_prompts(view: CompareView) -> None:
    plain, prompted = view.overlays(with_prompts=False), view.overlays(with_prompts=True)
    assert {picture.shape for picture in (*plain, *prompted)} == {(32, 64, 3)}
    for one, other in zip(plain, prompted, strict=True):
        assert not np.array_equal(one, other)


def test_layers_lie_over_the_picture_and_stay_clear_where_nothing_is(view: CompareView) -> None:
    layers = view.layers()
    assert set(layers) == {"left", "right", "left_prompts", "right_prompts", "alone"}
    assert {layer.shape for layer in layers.values()} == {(32, 64, 4)}
    for layer in layers.values():
        assert 0 < (layer[..., 3] > 0).mean() < 1


def test_what_only_one_found_has_the_colour_of_its_finder(view: CompareView) -> None:
    alone = view.layers()["alone"]
    painted = {tuple(colour) for colour in alone[alone[..., 3] > 0][:, :3].tolist()}
    assert painted == set(ALONE_COLOURS)


def test_partners_share_a_colour_and_leave_nothing_alone(wide_photo: Path) -> None:
    few, many = (SamplerSpec("object-aware", max_prompts=budget) for budget in (4, 12))
    *_, view = Fake(finds=12).compare(wide_photo, few, few)
    layers = view.layers()
    assert np.array_equal(layers["left"], layers["right"])
    assert not layers["alone"].any()
    *_, view = Fake(finds=12).compare(wide_photo, few, many)
    left, right = (summary["found_alone"] for summary in (view.summary["left"], view.summary["right"]))
    assert (left, right, view.summary["matched"]) == (0, 8, 4)


def test_the_summary_has_both_sides_and_each_sampler_by_its_name(view: CompareView) -> None:
    summary = view.summary
    assert summary["left"] == summary["grid"]
    assert summary["right"] == summary["object_aware"]
    assert (summary["grid"]["prompts"], summary["object_aware"]["prompts"]) == (64, 5)
    assert (summary["left"]["contender"], summary["right"]["contender"]) == ("grid:8", "object-aware:320")
    assert 0 < summary["left"]["coverage_percent"] <= 100
    assert summary["left"]["masks"] == summary["left"]["found_alone"] + summary["matched"]
    assert summary["speedup"] > 1
    assert "faster" in summary["verdict"]


def test_two_grids_are_told_apart_by_side(wide_photo: Path) -> None:
    sides = [SamplerSpec("grid", points_per_side=side) for side in (2, 4)]
    *_, view = Fake().compare(wide_photo, *sides)
    assert [view.summary[side]["prompts"] for side in ("left", "right")] == [4, 16]
    assert view.summary["grid"] == view.summary["left"]
    assert "object_aware" not in view.summary


def test_nothing_found_is_shown_too(wide_photo: Path) -> None:
    boxes = SamplerSpec("object-aware")
    *_, view = Fake(finds=0).compare(wide_photo, boxes, boxes)
    assert not any(layer.any() for layer in view.layers().values())
    assert view.summary["verdict"] == "Neither run kept a mask on this photo."


def test_what_goes_to_a_lent_gpu_and_back_can_be_pickled(wide_photo: Path) -> None:
    fake = Fake(finds=3)
    contenders = pickle.loads(pickle.dumps((SamplerSpec("grid", points_per_side=2), SamplerSpec())))
    running = comparing.run_compare(fake.models, np.zeros((20, 30, 3), np.uint8), None, contenders, "nano")
    *_, found = (pickle.loads(pickle.dumps(item)) for item in running)
    assert [standing.prompts for standing in found.statistics] == [4, 3]


def test_a_contender_may_ask_no_more_than_the_page_offers() -> None:
    assert contender_of("grid", points_per_side=32, most=1024) == SamplerSpec("grid", points_per_side=32)
    with pytest.raises(PromptError, match="grid:33 asks up to 1,089 prompts; here 1,024 are the most"):
        contender_of("grid:33", most=1024)


@STARTS
def test_summaries_are_plain_json(start: Callable[..., Any], wide_photo: Path) -> None:
    *_, view = start(Fake(finds=0), wide_photo)
    assert json.loads(json.dumps(view.summary, allow_nan=False)) == view.summary


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
