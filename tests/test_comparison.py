import pytest

from mobilesamv2.comparison import Comparison, compare, compare_steps
from mobilesamv2.types import STAGES
from tests.tiny import picture, tiny_segmenter


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare(tiny_segmenter(), picture(), max_prompts=2, points_per_side=4)


def test_both_samplers_run_with_their_own_budget(comparison):
    assert (comparison.grid.sampler, len(comparison.grid.prompts)) == ("grid", 16)
    assert (comparison.object_aware.sampler, len(comparison.object_aware.prompts)) == ("object-aware", 2)


def test_one_encoding_serves_both(comparison):
    assert comparison.grid.timings["encode"] == comparison.object_aware.timings["encode"] > 0


def test_the_speedup_is_the_ratio_of_the_seconds_that_depend_on_the_sampler(comparison):
    grid, object_aware = comparison.rows()
    assert comparison.speedup == pytest.approx(grid["sampling"] / object_aware["sampling"])
    for row in (grid, object_aware):
        assert row["sampling"] == pytest.approx(sum(row[stage] for stage in STAGES[2:]))


def test_rows_count_prompts_and_masks(comparison):
    grid, object_aware = comparison.rows()
    assert (grid["prompts"], grid["masks_decoded"], grid["masks"]) == (16, 48, len(comparison.grid.masks))
    assert (object_aware["prompts"], object_aware["masks_decoded"]) == (2, 2)


def test_progress_is_told_for_both_samplers():
    stages = [
        step.stage for step in compare_steps(tiny_segmenter(), picture(), max_prompts=1, points_per_side=2)
    ]
    assert stages.count("discover") == 2
    assert stages[0] == "encode"
