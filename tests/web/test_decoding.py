"""What is decoded of a picture: whole or in part, added to, and looked at on the way."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.progress import Progress
from mobilesamv2.stored import StoredEmbedding
from mobilesamv2.web import decoding
from mobilesamv2.web.decoding import Ask, Decoded, Found, run_everything
from mobilesamv2.web.models import Models

from .fakes import loader, script

PICTURE = np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)


def ask(prompts: int, sampler: str = "object-aware") -> Ask:
    return Ask(sampler=sampler, max_prompts=prompts, confidence=0.4, model="nano")


def models(**changed: Any) -> Models:
    return Models(loader(SimpleNamespace(**script(**changed))), names=("nano",), first="nano")


def decoded(prompts: int, sampler: str = "object-aware", *, skip: int = 0, finds: int = 50) -> Decoded:
    *_, last = run_everything(models(finds=finds), PICTURE, None, ask(prompts, sampler), skip)
    assert isinstance(last, Decoded)
    return last


def same(first: Decoded, second: Decoded) -> None:
    assert first.masks.rles == second.masks.rles
    assert np.array_equal(first.masks.prompt_index, second.masks.prompt_index)
    assert len(first.prompts) == len(second.prompts)


def test_a_run_tells_its_progress_and_gives_the_embedding_and_all_answers() -> None:
    items = list(run_everything(models(finds=40), PICTURE, None, ask(30), 0))
    assert sum(isinstance(item, StoredEmbedding) for item in items) == 1
    told = [
        (item.done, item.total) for item in items if isinstance(item, Progress) and item.stage == "decode"
    ]
    assert told[-1][1] == 30
    assert isinstance(items[-1], Decoded)
    assert len(items[-1].masks) == len(items[-1].prompts) == 30


def test_what_was_encoded_before_is_not_encoded_again() -> None:
    shared = models()
    stored = next(
        i for i in run_everything(shared, PICTURE, None, ask(5), 0) if isinstance(i, StoredEmbedding)
    )
    later = list(run_everything(shared, PICTURE, stored, ask(5), 0))
    assert not any(isinstance(item, StoredEmbedding) for item in later)


def test_masks_can_be_looked_at_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_LOOK_SECONDS", 0.0)
    items = list(run_everything(models(finds=50), PICTURE, None, ask(50), 0))
    found = [item for item in items if isinstance(item, Found)]
    assert [item.asked for item in found] == [16, 32, 48]
    came = np.concatenate([item.masks.prompt_index for item in found])
    assert came.tolist() == list(range(48))


@pytest.mark.parametrize("skip", [0, 16])
def test_what_a_stopped_run_decoded_answers_a_smaller_budget(
    monkeypatch: pytest.MonkeyPatch, skip: int
) -> None:
    monkeypatch.setattr(decoding, "_LOOK_SECONDS", 0.0)
    items = list(run_everything(models(finds=50), PICTURE, None, ask(50), skip))
    looks = [item for item in items if isinstance(item, Found)][:2]
    part = Decoded.so_far(looks, skip=skip)
    whole = part if not skip else decoded(skip).extended(part)
    same(whole, decoded(skip + 32))
    assert (whole.budget, whole.run.masks_decoded) == (skip + 32, skip + 32)
    assert not whole.is_complete
    assert part.run.timings["encode"] > 0
    assert all(seconds >= 0 for seconds in part.run.timings.values())


@pytest.mark.parametrize("prompts", [1, 7, 50, 90])
def test_fewer_boxes_are_those_of_a_smaller_run(prompts: int) -> None:
    same(decoded(90).within(prompts), decoded(prompts))


def test_numbers_stay_the_same_when_prompts_are_left_out() -> None:
    whole = decoded(50)
    part = whole.within(20)
    assert [whole.masks.rles[number] for number in part.numbers] == list(part.masks.rles)


@pytest.mark.parametrize("prompts", [16, 30, 100, 256])
def test_a_smaller_grid_has_its_number_of_points_spread_over_the_picture(prompts: int) -> None:
    part = decoded(256, "grid").within(prompts)
    side = math.isqrt(prompts)
    assert len(part.prompts) == side * side
    assert part.prompts.points is not None
    x = np.unique(part.prompts.points[:, 0, 0])
    assert len(x) == side
    assert x[0] < 90 / side
    assert x[-1] > 90 - 90 / side


def test_masks_of_a_part_answer_its_prompts() -> None:
    part = decoded(256, "grid").within(16)
    assert part.prompts.points is not None
    for box, index in zip(part.masks.boxes_xyxy, part.masks.prompt_index, strict=True):
        x, y = part.prompts.points[index, 0]
        assert box[0] <= x <= box[2]
        assert box[1] <= y <= box[3]


def test_the_rest_can_be_added_to_what_is_there() -> None:
    both = decoded(20).extended(decoded(50, skip=20))
    same(both, decoded(50))
    assert both.budget == 50
    assert both.numbers.tolist() == list(range(50))
    assert both.run.masks_decoded == 50
    one, more = decoded(20), decoded(50, skip=20)
    assert both.run.timings["encode"] == one.run.timings["encode"]
    expected = one.run.timings["decode"] + more.run.timings["decode"]
    assert both.run.timings["decode"] == pytest.approx(expected)


def test_what_can_be_answered_without_the_model() -> None:
    some = decoded(20)
    assert some.answers(20)
    assert not some.answers(21)
    assert not some.is_complete
    everything = decoded(90, finds=50)
    assert everything.is_complete
    assert everything.answers(1000)
    grid = decoded(100, "grid")
    assert grid.answers(64)
    assert grid.answers(120)  # 10 x 10, too
    assert not grid.answers(121)


@pytest.mark.parametrize("prompts", [1, 16, 320])
def test_no_objects_are_no_masks(prompts: int) -> None:
    nothing = decoded(320, finds=0)
    assert len(nothing.within(prompts).masks) == 0
    assert nothing.is_complete
    assert nothing.nbytes == 0


@pytest.mark.parametrize(
    ("wrong", "words"), [(ask(0), "at least 1"), (ask(5, "guess"), 'no sampler "guess"')]
)
def test_a_question_that_cannot_be_asked_is_refused(wrong: Ask, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        list(run_everything(models(), PICTURE, None, wrong, 0))


def test_closing_a_run_stops_the_models_work() -> None:
    told = SimpleNamespace(**script(finds=100))
    shared = Models(loader(told), names=("nano",), first="nano")
    running = run_everything(shared, PICTURE, None, ask(100), 0)
    while not (isinstance(item := next(running), Progress) and item.stage == "decode"):
        pass
    running.close()
    assert (told.started, told.closed) == (1, 1)
