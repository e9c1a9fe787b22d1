"""The curves of masks, coverage and seconds over prompts: what each point counts, and what is decoded for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from torch import Tensor

from mobilesamv2.comparison.budget import (
    BUDGETS,
    BudgetCurves,
    BudgetPoint,
    budget_curves,
    budget_steps,
    budgets_up_to,
)
from mobilesamv2.errors import PromptError
from mobilesamv2.progress import Progress, run_to_end
from mobilesamv2.promptable import Embedding
from mobilesamv2.sampler_kinds import SAMPLERS
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Prompts
from tests.tiny import picture, spied, tiny_segmenter

FIVE = ((2, 3, 40, 30), (10, 10, 50, 38), (0, 0, 60, 40), (30, 5, 55, 20), (1, 1, 9, 9))
SMALL = (1, 2, 4, 9, 16)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter(boxes=FIVE, chunk_size=2)


@pytest.fixture(scope="module")
def curves(segmenter: Segmenter) -> BudgetCurves:
    return budget_curves(segmenter, picture(), budgets=SMALL)


def test_the_usual_budgets_double_from_16_to_1024() -> None:
    assert BUDGETS == (16, 32, 64, 128, 256, 512, 1024)


@pytest.mark.parametrize(
    ("largest", "budgets"),
    [(1024, BUDGETS), (64, (16, 32, 64)), (100, (16, 32, 64, 100)), (16, (16,)), (1, (1,))],
)
def test_budgets_can_end_early(largest: int, budgets: tuple[int, ...]) -> None:
    assert budgets_up_to(largest) == budgets


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(PromptError, match="at least 1"):
        budgets_up_to(0)


def test_each_point_is_what_a_run_of_its_own_would_give(segmenter: Segmenter, curves: BudgetCurves) -> None:
    embedding = segmenter.encode(picture())
    for point in curves.points:
        alone = segmenter.segment_everything(
            picture(), sampler=point.sampler, max_prompts=point.budget, embedding=embedding
        )
        assert point.prompts == len(alone.prompts)
        assert point.masks == len(alone.masks)
        assert point.coverage == pytest.approx(alone.masks.coverage, abs=0.002)


def test_every_sampler_has_a_curve_of_what_runs_of_its_own_would_give(segmenter: Segmenter) -> None:
    curves = budget_curves(segmenter, picture(), samplers=tuple(SAMPLERS), budgets=(4, 16))
    assert list(curves.curves) == list(SAMPLERS)
    assert {name.replace("-", "_") for name in SAMPLERS} <= set(curves.to_record())
    embedding = segmenter.encode(picture())
    for point in curves.points:
        alone = segmenter.segment_everything(
            picture(), sampler=point.sampler, max_prompts=point.budget, embedding=embedding
        )
        assert (point.prompts, point.masks) == (len(alone.prompts), len(alone.masks))
        assert point.coverage == pytest.approx(alone.masks.coverage)
    assert [point.prompts for point in curves.curves["coverage"]] == [4, 16]
    assert [point.prompts for point in curves.curves["box-centres"]] == [4, 5]
    assert curves.boxes_proposed == 5


def test_curves_of_grids_alone_need_no_detector() -> None:
    curves = budget_curves(tiny_segmenter(detector=None), picture(), samplers=("grid", "hierarchical"), budgets=(4,))
    assert [(point.sampler, point.prompts) for point in curves.points] == [("grid", 4), ("hierarchical", 2)]
    assert curves.boxes_proposed is None
    assert not curves.boxes_ran_out


def test_the_curve_of_boxes_ends_where_the_boxes_do(curves: BudgetCurves) -> None:
    assert [(point.budget, point.prompts) for point in curves.curves["object-aware"]] == [
        (1, 1),
        (2, 2),
        (4, 4),
        (9, 5),
    ]
    assert curves.boxes_proposed == 5
    assert curves.boxes_ran_out


def test_as_many_boxes_as_a_budget_allows_end_it_there(segmenter: Segmenter) -> None:
    curves = budget_curves(segmenter, picture(), budgets=(1, 5, 9))
    assert [point.prompts for point in curves.curves["object-aware"]] == [1, 5]
    assert budget_curves(segmenter, picture(), budgets=(1, 5)).boxes_ran_out is False


def test_a_grid_is_the_largest_square_that_fits(curves: BudgetCurves) -> None:
    assert [(point.budget, point.prompts) for point in curves.curves["grid"]] == [
        (1, 1),
        (2, 1),
        (4, 4),
        (9, 9),
        (16, 16),
    ]


def test_more_boxes_take_and_cover_no_less(curves: BudgetCurves) -> None:
    for name in ("masks", "coverage", "decode_seconds"):
        values = [getattr(point, name) for point in curves.curves["object-aware"]]
        assert (np.diff(values) >= 0).all()
    assert all(point.decode_seconds > 0 for point in curves.points)


def test_the_picture_is_encoded_once_and_each_box_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter(boxes=FIVE)
    encoded: list[Any] = []
    decoded: list[tuple[bool, int]] = []
    encode, decode = segmenter.encode, segmenter._decode
    monkeypatch.setattr(segmenter, "encode", spied(encode, encoded))

    def counted(embedding: Embedding, prompts: Prompts, *rest: Any) -> tuple[Tensor, Tensor]:
        decoded.append((prompts.boxes_xyxy is not None, len(prompts)))
        return decode(embedding, prompts, *rest)

    monkeypatch.setattr(segmenter, "_decode", counted)
    budget_curves(segmenter, picture(), budgets=SMALL)
    assert len(encoded) == 1
    assert sum(count for is_box, count in decoded if is_box) == 5
    assert sum(count for is_box, count in decoded if not is_box) == 1 + 1 + 4 + 9 + 16
    budget_curves(segmenter, picture(), budgets=SMALL, embedding=encode(picture()))
    assert len(encoded) == 1


def test_points_come_as_soon_as_they_are_measured_and_progress_counts_all_prompts(
    segmenter: Segmenter,
) -> None:
    items = list(budget_steps(segmenter, picture(), budgets=SMALL))
    points = [(item.sampler, item.budget) for item in items if isinstance(item, BudgetPoint)]
    assert points[:4] == [("object-aware", 1), ("grid", 1), ("object-aware", 2), ("grid", 2)]
    steps = [item for item in items if isinstance(item, Progress) and item.stage == "decode"]
    assert {step.total for step in steps} == {5 + 1 + 1 + 4 + 9 + 16}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total
    assert isinstance(items[-1], BudgetPoint)


def test_closing_the_curves_stops_the_decoding(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    decode = segmenter._decode
    monkeypatch.setattr(segmenter, "_decode", spied(decode, decoded))
    items = budget_steps(segmenter, picture(), budgets=(16,))
    while not decoded:
        next(items)
    items.close()
    assert len(decoded) == 1


@pytest.mark.parametrize("chunks", range(14))
def test_curves_that_are_stopped_have_whole_points_only(
    chunks: int, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, curves: BudgetCurves
) -> None:
    decoded: list[Any] = []
    decode = segmenter._decode
    monkeypatch.setattr(segmenter, "_decode", spied(decode, decoded))
    steps = budget_steps(segmenter, picture(), budgets=SMALL[:4], stop=lambda: len(decoded) >= chunks)
    found = run_to_end(steps)
    assert len(decoded) <= chunks
    for part, whole in (
        (found.curves["object-aware"], curves.curves["object-aware"]),
        (found.curves["grid"], curves.curves["grid"]),
    ):
        pairs = list(zip(part, whole, strict=False))
        assert [(one.prompts, one.masks) for one, _ in pairs] == [(two.prompts, two.masks) for _, two in pairs]
    assert (len(found.curves["grid"]) == 4) == (chunks >= 13)


def test_no_boxes_leave_the_curve_of_the_grid() -> None:
    curves = budget_curves(tiny_segmenter(boxes=()), picture(), budgets=(1, 4))
    assert curves.curves["object-aware"] == ()
    assert curves.boxes_proposed == 0
    assert [point.prompts for point in curves.curves["grid"]] == [1, 4]


@pytest.mark.parametrize("budgets", [(), (0, 4), (4, 4), (16, 4)])
def test_budgets_that_do_not_rise_are_refused(segmenter: Segmenter, budgets: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, match="rising"):
        budget_curves(segmenter, picture(), budgets=budgets)


def test_a_model_without_a_detector_is_refused() -> None:
    with pytest.raises(PromptError, match="detector"):
        budget_curves(tiny_segmenter(detector=None), picture())
