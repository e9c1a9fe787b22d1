"""Whole runs in the number formats of GPUs give nearly the masks of float32: every sampler, tiles, comparisons."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch

from mobilesamv2.comparison.budget import budget_curves
from mobilesamv2.comparison.compare import compare
from mobilesamv2.export.formats import FORMATS, files_of
from mobilesamv2.export.records import json_bytes
from mobilesamv2.filters import MaskFilters
from mobilesamv2.geometry import Tiles
from mobilesamv2.progress import run_to_end
from mobilesamv2.request import Request
from mobilesamv2.sampler_kinds import SAMPLERS
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.tiles import segment_in_tiles
from mobilesamv2.types import Masks

from .models.test_other_devices import MODELS
from .tiny import Boxes, picture

HALF = (torch.bfloat16, torch.float16)
NOTHING = MaskFilters()
"""Filters that keep every mask, so that a score near a threshold decides nothing."""


def segmenter(name: str, dtype: torch.dtype) -> Segmenter:
    boxes = Boxes([[2, 3, 40, 30], [10, 10, 50, 38], [0, 0, 60, 40]])
    network = MODELS[name]()
    if name == "nano":
        with torch.no_grad():  # random weights would say that its small windows are empty
            network.mask_head.leave.bias.add_(0.5)
    return Segmenter(network.cast(dtype), name="small", grid_filters=NOTHING, detector=boxes)


def by_prompt(masks: Masks) -> dict[tuple[int, int], Any]:
    """Masks by their prompt and their place among those of one prompt as they were decoded."""
    seen: dict[int, int] = defaultdict(int)
    found = {}
    for index, mask in zip(masks.prompt_index.tolist(), masks.dense(), strict=True):
        found[index, seen[index]] = mask
        seen[index] += 1
    return found


def likeness(masks: Masks, others: Masks) -> float:
    """Mean IoU of the masks of the same prompts."""
    first, second = by_prompt(masks), by_prompt(others)
    assert len(first.keys() & second.keys()) > 0.8 * max(len(first), len(second), 1)
    ious = [(first[key] & second[key]).sum() / (first[key] | second[key]).sum() for key in first.keys() & second.keys()]
    return float(np.mean(ious))


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("name", ["nano", "tiny-vit"])
def test_every_sampler_finds_nearly_the_masks_of_float32(name: str, sampler: str, dtype: torch.dtype) -> None:
    request = Request(sampler, max_prompts=9, multimask=False if SAMPLERS[sampler].has_points else None)
    full, half = (
        run_to_end(segmenter(name, each).steps(picture(), request, filters=NOTHING)) for each in (torch.float32, dtype)
    )
    assert half.masks.scores.dtype == np.float32
    assert likeness(full.masks, half.masks) > 0.85


@pytest.fixture(scope="module", params=HALF, ids=str)
def half(request: pytest.FixtureRequest) -> Segmenter:
    return segmenter("tiny-vit", request.param)


@pytest.fixture(scope="module")
def full() -> Segmenter:
    return segmenter("tiny-vit", torch.float32)


def test_tiles_compare_and_budget_run_in_half_precision(half: Segmenter) -> None:
    tiled = segment_in_tiles(half, picture(), Request("grid", points_per_side=2), tiles=Tiles(side=40))
    assert len(tiled.masks)
    compared = compare(half, picture(), Request("grid", points_per_side=2), Request(max_prompts=3))
    assert len(compared.first.masks)
    assert len(compared.second.masks)
    assert budget_curves(half, picture(), budgets=(4, 16)).curves


def test_an_embedding_in_half_precision_is_kept_and_used_again(half: Segmenter) -> None:
    embedding = half.encode(picture())
    again = StoredEmbedding.of(embedding).on(torch.device("cpu"))
    assert again.features.dtype == half.sam.dtype
    boxes = [[2, 3, 40, 30]]
    assert half.predict(again, boxes=boxes).rles == half.predict(embedding, boxes=boxes).rles


@pytest.mark.parametrize("multimask", [False, True])
def test_prompts_give_nearly_the_masks_of_float32(full: Segmenter, half: Segmenter, multimask: bool) -> None:
    asked: dict[str, Any] = {"points": [[[9, 9]], [[40, 20]]], "labels": [[1], [1]], "multimask": multimask}
    exact, rough = (each.predict(each.encode(picture()), **asked) for each in (full, half))
    assert likeness(exact, rough) > 0.85


def test_every_export_takes_a_result_of_half_precision(half: Segmenter) -> None:
    result = half.segment_everything(picture(), sampler="grid", points_per_side=2)
    assert len(result.masks)
    assert all(content for _, content in files_of(picture(), result.masks, formats=tuple(FORMATS)))
    json_bytes(result.to_record())
