import pytest
import torch

from mobilesamv2.comparison.compare import (
    Comparison,
    SamplerSpec,
    compare,
    compare_specs,
    compare_specs_steps,
    compare_steps,
    warm_up,
)
from mobilesamv2.errors import PromptError, UnknownModelError
from mobilesamv2.types import STAGES
from tests.tiny import picture, tiny_segmenter


@pytest.fixture(scope="module")
def segmenter():
    return tiny_segmenter()


@pytest.fixture(scope="module")
def comparison(segmenter) -> Comparison:
    return compare(segmenter, picture(), max_prompts=2, points_per_side=4)


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
    assert grid["duplicates"] == comparison.grid.duplicates_removed > 0
    assert object_aware["duplicates"] == 0
    assert comparison.names == (grid["sampler"], object_aware["sampler"]) == ("grid", "object-aware")
    pairs = len(comparison.matching)
    assert [row["masks"] - row["alone"] for row in (grid, object_aware)] == [pairs, pairs]
    assert 0 < object_aware["coverage"] <= 1


def test_progress_is_told_for_both_samplers(segmenter):
    stages = [step.stage for step in compare_steps(segmenter, picture(), max_prompts=1, points_per_side=2)]
    assert stages.count("discover") == 2
    assert stages[0] == "encode"


@pytest.mark.parametrize(
    ("specs", "prompts"),
    [
        ((SamplerSpec("object-aware", max_prompts=1), SamplerSpec("object-aware", max_prompts=3)), (1, 3)),
        ((SamplerSpec("grid", points_per_side=2), SamplerSpec("grid", max_prompts=10)), (4, 9)),
        ((SamplerSpec("object-aware"), SamplerSpec("grid", points_per_side=1)), (3, 1)),
    ],
)
def test_any_two_samplers_and_budgets_meet_on_an_encoding_made_before(segmenter, specs, prompts):
    embedding = segmenter.encode(picture())
    steps = compare_specs_steps(segmenter, picture(), specs, embedding=embedding)
    assert next(steps).stage == "discover"
    found = compare_specs(segmenter, picture(), specs, embedding=embedding)
    assert (len(found.first.prompts), len(found.second.prompts)) == prompts
    assert [standing.spec for standing in found.statistics] == list(specs)
    assert found.first.timings["encode"] == found.second.timings["encode"] == embedding.timings["encode"]


def test_a_contender_against_itself_finds_the_same(segmenter):
    grid = SamplerSpec("grid", points_per_side=4)
    found = compare_specs(segmenter, picture(), (grid, grid))
    assert len(found.matching) == len(found.first.masks) > 0
    assert [standing.alone for standing in found.statistics] == [0, 0]
    assert found.names == ("grid:4 first", "grid:4 second")


def test_finding_nothing_is_compared_too():
    found = compare(tiny_segmenter(boxes=()), picture(), points_per_side=2)
    assert found.statistics[1].masks == found.statistics[1].prompts == 0
    assert found.statistics[1].coverage == 0
    assert found.statistics[0].alone == found.statistics[0].masks


def test_a_sampler_that_did_not_take_part_has_no_result(segmenter):
    grid = SamplerSpec("grid", points_per_side=1)
    found = compare_specs(segmenter, picture(), (grid, grid))
    assert found.grid is found.first
    with pytest.raises(AttributeError, match="Neither spec was object-aware"):
        found.object_aware  # noqa: B018


def test_closing_a_contest_stops_it(segmenter):
    steps = compare_steps(segmenter, picture())
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize(
    ("text", "spec", "most"),
    [
        ("grid", SamplerSpec("grid", points_per_side=8), 64),
        ("grid:16", SamplerSpec("grid", points_per_side=16), 256),
        ("object-aware", SamplerSpec("object-aware", max_prompts=100), 100),
        (" object-aware:64 ", SamplerSpec("object-aware", max_prompts=64), 64),
    ],
)
def test_a_contender_can_be_written_down(text, spec, most):
    read = SamplerSpec.parse(text, max_prompts=100, points_per_side=8)
    assert read == spec
    assert read.prompts_at_most == most
    assert SamplerSpec.parse(str(read)) == read


def test_a_contender_without_numbers_has_the_usual_ones():
    assert str(SamplerSpec()) == "object-aware:320"
    assert str(SamplerSpec("grid")) == "grid:32"
    assert SamplerSpec("grid", max_prompts=30).prompts_at_most == 25


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("dots", UnknownModelError, "There is no sampler 'dots'"),
        ("", UnknownModelError, "There is no sampler ''"),
        ("grid:", PromptError, "whole number"),
        ("grid:many", PromptError, "'grid:many'"),
        ("grid:-4", PromptError, "whole number"),
        ("grid:" + "9" * 5000, PromptError, "whole number"),
        ("object-aware:" + "9" * 10, PromptError, "whole number"),
        ("object-aware:0", PromptError, "max_prompts must be at least 1; got 0"),
        ("grid:0", PromptError, "points_per_side must be at least 1; got 0"),
    ],
)
def test_what_names_no_contender_is_refused(text, error, words):
    with pytest.raises(error, match=words):
        SamplerSpec.parse(text)


def test_points_belong_to_grids():
    with pytest.raises(PromptError, match="belongs to grid search"):
        SamplerSpec("object-aware", points_per_side=4)


def test_before_seconds_are_measured_on_a_gpu_one_mask_of_each_kind_is_asked_for(monkeypatch):
    segmenter = tiny_segmenter()
    embedding = segmenter.encode(picture())
    asked = []
    decode = segmenter._decode
    monkeypatch.setattr(segmenter, "_decode", lambda *given: asked.append(given[1]) or decode(*given))
    warm_up(segmenter, picture(), embedding)
    assert asked == []
    monkeypatch.setattr(type(segmenter), "device", torch.device("meta"))
    monkeypatch.setattr(
        segmenter,
        "_decode",
        lambda *given: asked.append(given[1]) or (torch.zeros(1, 1, 8, 8), torch.zeros(1, 1)),
    )
    warm_up(segmenter, picture(), embedding)
    assert [(prompts.boxes_xyxy is None, prompts.multimask) for prompts in asked] == [
        (False, False),
        (True, True),
    ]
