"""The sentence on two requests: right whoever was faster, kept more or found nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from mobilesamv2.comparison.budget import BudgetCurves, BudgetPoint
from mobilesamv2.comparison.compare import RunStatistics
from mobilesamv2.comparison.report import budget_verdict, verdict
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES

GRID = Request("grid", points_per_side=32)
AWARE = Request("object-aware", max_prompts=320)


def standing(request: Request, *, prompts: int, masks: int, seconds: float, coverage: float = 0.5) -> RunStatistics:
    return RunStatistics(
        request=request,
        prompts=prompts,
        masks=masks,
        alone=0,
        coverage=coverage if masks else 0.0,
        seconds=dict.fromkeys(STAGES, 0.0) | {"encode": 7.0, "decode": seconds},
    )


def grid(*, masks: int = 43, seconds: float = 2.0, coverage: float = 0.5) -> RunStatistics:
    return standing(GRID, prompts=1024, masks=masks, seconds=seconds, coverage=coverage)


def aware(*, masks: int = 43, seconds: float = 2.0, coverage: float = 0.5) -> RunStatistics:
    return standing(AWARE, prompts=masks, masks=masks, seconds=seconds, coverage=coverage)


def test_a_whole_sentence_reads_like_this() -> None:
    said = verdict(grid(masks=1, coverage=0.033, seconds=20.13), aware(seconds=1.2, coverage=0.61))
    assert said == (
        "Object-aware sampling was 17 times faster than grid search here and kept more masks over more of the "
        "photo: 43 covering 61 % from 43 boxes in 1.20 s, against 1 covering 3 % from 1,024 points in 20.1 s."
    )


@pytest.mark.parametrize(
    ("seconds", "masks", "words"),
    [
        (0.5, 43, "was 4.0 times faster than grid search here and kept equally many masks"),
        (0.5, 50, "was 4.0 times faster than grid search here and kept more masks"),
        (0.5, 20, "was 4.0 times faster than grid search here but kept fewer masks"),
        (2.0, 43, "Both took about the same time here and kept equally many masks"),
        (2.05, 44, "Both took about the same time here, and object-aware sampling kept more masks"),
        (1.95, 20, "Both took about the same time here, and object-aware sampling kept fewer masks"),
        (5.0, 43, "was 2.5 times slower than grid search here and kept equally many masks"),
        (5.0, 50, "was 2.5 times slower than grid search here but kept more masks"),
        (5.0, 20, "was 2.5 times slower than grid search here and kept fewer masks"),
    ],
)
def test_speed_and_masks_are_told_as_they_were(seconds: float, masks: int, words: str) -> None:
    assert words in verdict(grid(), aware(seconds=seconds, masks=masks))


@pytest.mark.parametrize(
    ("coverage", "words"),
    [(0.5, "over as much of"), (0.504, "over as much of"), (0.61, "over more of"), (0.1, "over less of")],
)
def test_coverage_is_told_as_far_as_the_digits_go(coverage: float, words: str) -> None:
    assert words in verdict(grid(coverage=0.5), aware(coverage=coverage))


@pytest.mark.parametrize(
    ("grid_masks", "aware_masks", "words"),
    [
        (
            9,
            0,
            "Object-aware sampling found no objects on this photo; grid search kept 9 masks covering 50 % of it in",
        ),
        (
            0,
            9,
            "Grid search kept no mask on this photo; object-aware sampling kept 9 masks covering 50 % of it in",
        ),
        (0, 0, "Neither sampler kept a mask on this photo."),
    ],
)
def test_speed_that_found_nothing_is_not_praised(grid_masks: int, aware_masks: int, words: str) -> None:
    both = grid(masks=grid_masks), aware(masks=aware_masks, seconds=0.1)
    for first, second in permutations(both):
        said = verdict(first, second)
        assert words in said
        assert "faster" not in said


def test_objects_whose_masks_are_all_empty_are_not_called_no_objects() -> None:
    empty = standing(AWARE, prompts=4, masks=0, seconds=0.1)
    assert "Object-aware sampling kept no mask" in verdict(grid(), empty)


def test_a_ratio_that_cannot_be_told_is_not_told() -> None:
    for seconds in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
        said = verdict(grid(seconds=seconds[0], masks=44), aware(seconds=seconds[1]))
        assert said.startswith("Object-aware sampling kept fewer masks over as much of the photo than grid search")
        assert "times" not in said
    assert verdict(grid(seconds=0), aware(seconds=0)).startswith("Both kept equally many masks")


def test_the_second_is_the_subject_whichever_sampler_it_is() -> None:
    assert verdict(aware(seconds=1.0), grid(seconds=2.0)).startswith("Grid search was 2.0 times slower than")


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        (
            (Request("grid", points_per_side=16), GRID),
            "The 32 × 32 grid was 2.0 times slower than the 16 × 16 grid",
        ),
        (
            (Request("object-aware", max_prompts=64), AWARE),
            "A budget of 320 boxes was 2.0 times slower than a budget of 64 boxes",
        ),
        ((GRID, GRID), "The second run was 2.0 times slower than the first run"),
    ],
)
def test_two_of_one_sampler_are_called_by_their_budgets(requests: tuple[Request, Request], words: str) -> None:
    first, second = (
        standing(request, prompts=9, masks=9, seconds=seconds)
        for request, seconds in zip(requests, (1.0, 2.0), strict=True)
    )
    assert words in verdict(first, second)


def test_two_of_one_sampler_that_found_nothing_are_runs() -> None:
    nothing = standing(GRID, prompts=9, masks=0, seconds=1.0)
    assert verdict(nothing, nothing) == "Neither run kept a mask on this photo."


# Budgets


def point(sampler: str, prompts: int, masks: int, coverage: float) -> BudgetPoint:
    return BudgetPoint(
        sampler=sampler,
        budget=prompts,
        prompts=prompts,
        masks=masks,
        coverage=coverage,
        decode_seconds=prompts / 50,
    )


def curves(*aware: tuple[int, int, float], grid: list[tuple[int, int, float]], proposed: int) -> BudgetCurves:
    return BudgetCurves(
        curves={
            "object-aware": tuple(point("object-aware", *values) for values in aware),
            "grid": tuple(point("grid", *values) for values in grid),
        },
        budgets=(16, 64),
        boxes_proposed=proposed,
        model="nano",
        device="CPU, 2 threads",
    )


NOTHING = [(16, 0, 0.0), (64, 0, 0.0)]


@pytest.mark.parametrize(
    ("measured", "sentence"),
    [
        (
            curves((16, 16, 0.4), (45, 45, 0.61), grid=[(16, 3, 0.3), (64, 9, 0.7)], proposed=45),
            "All 45 boxes that the detector proposed gave 45 masks covering 61 % of this photo in 900 ms of decoding; "
            "to cover as much a grid takes 64 points: 9 masks covering 70 % in 1.28 s of decoding.",
        ),
        (
            curves((16, 16, 0.4), (64, 64, 0.61), grid=[(16, 3, 0.3), (64, 1, 0.2)], proposed=64),
            "The best 64 boxes gave 64 masks covering 61 % of this photo in 1.28 s of decoding; "
            "no grid up to 64 points covers as much: 16 points gave 3 masks covering 30 % in 320 ms of decoding.",
        ),
        (
            curves((1, 1, 0.2), grid=[(16, 3, 0.3), (64, 1, 0.2)], proposed=1),
            "The only box that the detector proposed gave 1 mask covering 20 % of this photo in 20 ms of decoding; "
            "already 16 points of a grid cover as much: 3 masks covering 30 % in 320 ms of decoding.",
        ),
        (
            curves((5, 5, 0.2), grid=NOTHING, proposed=5),
            "All 5 boxes that the detector proposed gave 5 masks covering 20 % of this photo in 100 ms of decoding; "
            "no grid up to 64 points kept a mask.",
        ),
        (
            curves(grid=[(16, 3, 0.3), (64, 9, 0.3)], proposed=0),
            "The detector proposed no objects on this photo; of the grids, 16 points cover most: "
            "3 masks covering 30 % in 320 ms of decoding.",
        ),
        (
            curves(grid=NOTHING, proposed=0),
            "The detector proposed no objects on this photo, and no grid up to 64 points kept a mask.",
        ),
        (
            curves((5, 0, 0.0), grid=NOTHING, proposed=5),
            "All 5 boxes that the detector proposed gave no mask on this photo, "
            "and no grid up to 64 points kept a mask.",
        ),
    ],
)
def test_the_sentence_on_budgets_says_what_was_measured(measured: BudgetCurves, sentence: str) -> None:
    assert budget_verdict(measured) == sentence


def test_nothing_is_said_of_curves_before_a_point_is_measured() -> None:
    with pytest.raises(ValueError, match="before a point"):
        budget_verdict(curves(grid=[], proposed=5))
    assert budget_verdict(curves((5, 5, 0.2), grid=[], proposed=5)) == "No grid was measured to its end."


@pytest.mark.parametrize("boxes", [False, True])
def test_of_other_samplers_the_one_that_covers_most_is_named(boxes: bool) -> None:
    two = curves((16, 16, 0.4), grid=[(16, 3, 0.3)], proposed=16)
    third: dict[str, tuple[BudgetPoint, ...]] = {
        "coverage": (point("coverage", 50, 20, 0.9), point("coverage", 64, 21, 0.9))
    }
    said = budget_verdict(replace(two, curves={**two.curves, **third} if boxes else third))
    assert said.endswith(
        "Coverage sampling covers most, with 50 prompts: 20 masks covering 90 % in 1.00 s of decoding."
    )
    assert said.startswith("All 16 boxes that the detector" if boxes else "Coverage")
