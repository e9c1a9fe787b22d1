"""What *Compare samplers* does, and what both tabs have in common, on a segmenter without a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilesamv2.web.comparing import CompareView
from mobilesamv2.web.steps import paced

from .fakes import Fake


def test_a_comparison_gives_equal_pictures_with_and_without_prompts(wide_photo: Path) -> None:
    *_, view = Fake(finds=5).compare(wide_photo)
    assert isinstance(view, CompareView)
    pictures = [*view.overlays, *view.with_prompts]
    assert {picture.shape for picture in pictures} == {(32, 64, 3)}
    for plain, prompted in zip(view.overlays, view.with_prompts, strict=True):
        assert not np.array_equal(plain, prompted)
    assert view.summary["grid"]["prompts"] == 64
    assert view.summary["object_aware"]["prompts"] == 5
    assert view.summary["speedup"] > 1
    assert "faster" in view.summary["verdict"]


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_summaries_are_plain_json(start: Callable[..., Any], wide_photo: Path) -> None:
    *_, view = start(Fake(finds=0), wide_photo)
    assert json.loads(json.dumps(view.summary, allow_nan=False)) == view.summary


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_closing_a_run_stops_the_models_work(start: Callable[..., Any], wide_photo: Path) -> None:
    fake = Fake(finds=100)
    items = start(fake, wide_photo)
    while next(items).stage != "decode":
        pass
    items.close()
    assert (fake.script.started, fake.script.closed) == (1, 1)


@pytest.mark.parametrize("start", [Fake.segment, Fake.compare], ids=["segment", "compare"])
def test_closing_a_paced_run_stops_the_models_work_too(start: Callable[..., Any], wide_photo: Path) -> None:
    fake = Fake(finds=100)
    items = paced(start(fake, wide_photo))
    while next(items).stage != "decode":
        pass
    items.close()
    assert fake.script.closed == 1
