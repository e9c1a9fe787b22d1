"""Every sampler through what *Segment everything* runs: seen on its way, with fewer and with more prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mobilesamv2.request import Request
from mobilesamv2.sampler_kinds import SAMPLERS
from mobilesamv2.web import everything
from mobilesamv2.web.everything import MasksView, segment_everything
from mobilesamv2.web.mask_views import ViewRequest, one_mask

from .fakes import Fake


@pytest.fixture(autouse=True)
def every_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks that are still coming are shown after the first chunk already."""
    monkeypatch.setattr(everything, "_SECONDS_BETWEEN_VIEWS", -1e9)


def views(fake: Fake, photo: Path, name: str, prompts: int) -> list[MasksView]:
    wanted = ViewRequest(Request(name, max_prompts=prompts), model="nano")
    items = segment_everything(fake.job, str(photo), wanted, run=fake.on_model, side=64)
    return [item for item in items if isinstance(item, MasksView)]


def summary(view: MasksView) -> dict[str, Any]:
    assert view.summary is not None
    return view.summary


@pytest.mark.parametrize("name", SAMPLERS)
def test_masks_are_seen_as_they_come_and_all_at_the_end(wide_photo: Path, name: str) -> None:
    *under_way, last = views(Fake(), wide_photo, name, 64)
    assert under_way
    counts = [len(view.colours) for view in under_way]
    assert counts == sorted(counts)
    assert summary(last)["sampler"] == name
    assert summary(last)["can_answer"]


@pytest.mark.parametrize("name", SAMPLERS)
def test_more_prompts_give_what_a_run_of_its_own_gives(wide_photo: Path, name: str) -> None:
    fake = Fake(finds=40)
    views(fake, wide_photo, name, 16)
    then, alone = views(fake, wide_photo, name, 64)[-1], views(Fake(finds=40), wide_photo, name, 64)[-1]
    keys = ("prompts", "masks", "masks_decoded", "prompts_decoded", "is_exhausted")
    assert [summary(then)[key] for key in keys] == [summary(alone)[key] for key in keys]


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if not kind.is_square])
def test_fewer_prompts_are_answered_at_once(wide_photo: Path, name: str) -> None:
    fake = Fake(finds=40)
    views(fake, wide_photo, name, 64)
    runs = fake.script.started
    fewer = summary(views(fake, wide_photo, name, 20)[-1])
    assert (fewer["prompts"], fake.script.started) == (20, runs)


def test_another_grid_of_hierarchical_search_is_asked_anew(wide_photo: Path) -> None:
    fake = Fake()
    views(fake, wide_photo, "hierarchical", 64)
    smaller = ViewRequest(Request("hierarchical", max_prompts=16), model="nano")
    shown = everything.view_again(fake.job.session, str(wide_photo), smaller, side=64)
    assert shown is not None
    assert not summary(shown)["can_answer"]
    runs = fake.script.started
    *_, last = segment_everything(fake.job, str(wide_photo), smaller, run=fake.on_model, side=64)
    assert isinstance(last, MasksView)
    assert summary(last)["can_answer"]
    assert fake.script.started == runs + 1


def test_a_mask_of_coverage_is_told_with_its_own_kind_of_prompt(wide_photo: Path) -> None:
    fake = Fake(finds=2)
    views(fake, wide_photo, "coverage", 30)
    viewed = everything.shown_to(fake.job.session, str(wide_photo))
    assert viewed is not None
    prompts = [one_mask(viewed, index)["prompt"] for index in range(len(viewed.masks))]
    assert all((prompt["box"] is None) != (prompt["points"] is None) for prompt in prompts)
    assert {prompt["number"] for prompt in prompts if prompt["box"] is not None} == {1, 2}
    assert any(prompt["points"] for prompt in prompts)
