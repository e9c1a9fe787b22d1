"""Every sampler through a whole run: in parts, under other filters, in a smaller budget, ranked."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from mobilesamv2 import MaskFilters, PartialMasks, Request, SegmentationResult
from mobilesamv2.errors import PromptError
from mobilesamv2.progress import run_to_end
from mobilesamv2.prompts import SAMPLERS
from mobilesamv2.raw_masks import RawMasks
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Masks, Picture, Prompts

from .tiny import picture, tiny_segmenter

BOXES = [(0, 0, 20, 15), (5, 5, 30, 25), (4, 2, 12, 9)]
KEEP_ALL = MaskFilters()
SMALL = {"grid": 16, "hierarchical": 36, "object-aware": 3, "box-centres": 3, "coverage": 24}


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    """About half of its masks of points pass its filters, small ones and large ones."""
    filters = MaskFilters(predicted_iou=0.27, box_nms=0.9)
    return tiny_segmenter(boxes=BOXES, grid_filters=filters, chunk_size=9)


@pytest.fixture(scope="module")
def coverage(segmenter: Segmenter) -> RawMasks:
    return raw(segmenter, small("coverage"))


def steps(segmenter: Segmenter, request: Request, **options: Any) -> tuple[list[PartialMasks], SegmentationResult]:
    parts: list[PartialMasks] = []
    run = segmenter.steps(picture(), request, **options)
    while True:
        try:
            item = next(run)
        except StopIteration as end:
            return parts, end.value
        if isinstance(item, PartialMasks):
            parts.append(item)


def raw(segmenter: Segmenter, request: Request) -> RawMasks:
    return RawMasks.of(run_to_end(segmenter.steps(picture(), request, filters=KEEP_ALL)))


def small(name: str, **options: Any) -> Request:
    return Request(name, max_prompts=SMALL[name], **options)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_parts_of_a_run_are_its_result(segmenter: Segmenter, name: str) -> None:
    parts, result = steps(segmenter, small(name))
    again = SegmentationResult.of_partial(parts, is_complete=True)
    assert again.masks.rles == result.masks.rles
    assert again.prompts.to_list() == result.prompts.to_list()
    assert [part.first for part in parts] == np.cumsum([0, *(len(part.prompts) for part in parts)])[:-1].tolist()
    assert parts[-1].done == parts[-1].total == len(result.prompts) <= small(name).prompts_at_most
    assert result.sampler == name


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_mask_is_the_answer_to_the_prompt_it_names(segmenter: Segmenter, name: str) -> None:
    result = segmenter.segment_everything(picture(), request=small(name))
    embedding = segmenter.encode(picture())
    assert len(result.masks) > 0
    for row in np.linspace(0, len(result.masks) - 1, 5).astype(int):
        mask, index = result.masks.rles[row], result.masks.prompt_index[row]
        one = result.prompts.to_list()[index]
        given = {"boxes": one["box"]} if one["points"] is None else {"points": [one["points"][0][:2]]}
        answers = segmenter.predict(embedding, **given, multimask=one["box"] is None)
        assert mask in answers.rles


@pytest.mark.parametrize("name", SAMPLERS)
def test_other_filters_change_nothing_of_what_is_asked(segmenter: Segmenter, name: str) -> None:
    _, own = steps(segmenter, small(name))
    _, everything = steps(segmenter, small(name), filters=KEEP_ALL)
    assert everything.prompts.to_list() == own.prompts.to_list()
    decoded = raw(segmenter, small(name))
    assert decoded.filtered(small(name))[0].rles == own.masks.rles


@pytest.mark.parametrize("name", ["grid", "hierarchical", "box-centres", "coverage"])
def test_one_mask_of_each_point_is_a_third_of_the_work(segmenter: Segmenter, name: str) -> None:
    for multimask, each in ((None, 3), (False, 1)):
        result = segmenter.segment_everything(picture(), request=small(name, multimask=multimask))
        boxes = int(result.prompts.has_box.sum())
        assert result.masks_decoded == boxes + each * (len(result.prompts) - boxes)


def test_a_box_gives_one_mask(segmenter: Segmenter) -> None:
    with pytest.raises(PromptError, match="one mask of each box"):
        Request("object-aware", multimask=True)
    assert segmenter.segment_everything(picture(), multimask=False).masks_decoded == 3


def test_where_no_mask_is_confident_hierarchical_search_finds_what_the_grid_finds() -> None:
    strict = tiny_segmenter(grid_filters=MaskFilters(predicted_iou=10.0))
    found = [raw(strict, Request(name, points_per_side=5)).masks for name in ("grid", "hierarchical")]
    grid, hierarchical = ({rle["counts"] for rle in masks.rles} for masks in found)
    assert grid == hierarchical
    assert len(found[0]) == len(found[1])


def test_points_under_a_mask_are_not_decoded(segmenter: Segmenter) -> None:
    result = segmenter.segment_everything(picture(), sampler="hierarchical", points_per_side=12)
    assert 9 < len(result.prompts) < 144


def test_coverage_keeps_every_mask_of_a_box_and_no_point_that_repeats_one(segmenter: Segmenter) -> None:
    aware = segmenter.segment_everything(picture())
    found = segmenter.segment_everything(picture(), request=small("coverage"))
    of_boxes = found.masks.select(found.prompts.has_box[found.masks.prompt_index])
    assert of_boxes.rles == aware.masks.rles
    assert len(found.masks) > len(of_boxes)
    assert found.masks.coverage > aware.masks.coverage
    # Detector and grid that ask the same: the decoder's answers to points repeat each other.
    assert found.duplicates_removed > 0
    same = Request("coverage", max_prompts=24, mask_filters=MaskFilters(mask_nms=0.0, points_only=True))
    alone = segmenter.segment_everything(picture(), request=same).masks
    assert [rle for rle in alone.rles if rle in aware.masks.rles] == list(aware.masks.rles)


def test_masks_of_boxes_rank_above_those_of_points(segmenter: Segmenter) -> None:
    found = segmenter.segment_everything(picture(), request=small("coverage", mask_filters=KEEP_ALL))
    is_box = found.prompts.has_box[found.masks.prompt_index]
    assert np.isfinite(found.masks.detector_scores).tolist() == is_box.tolist()
    positive = found.masks.predicted_iou <= 1
    assert found.masks.scores[is_box].min() >= found.masks.scores[~is_box & positive].max(initial=0)


def test_masks_of_a_centre_rank_by_the_detector_and_the_decoder(segmenter: Segmenter) -> None:
    found = segmenter.segment_everything(picture(), request=small("box-centres", mask_filters=KEEP_ALL))
    sure = found.prompts.scores
    assert sure is not None
    np.testing.assert_allclose(
        found.masks.scores, sure[found.masks.prompt_index] * found.masks.predicted_iou, rtol=1e-6
    )
    assert np.isnan(found.masks.detector_scores).all()


@pytest.mark.parametrize("budget", [3, 5, 24])
def test_a_smaller_budget_of_coverage_is_answered_from_a_larger_one(
    segmenter: Segmenter, coverage: RawMasks, budget: int
) -> None:
    whole = coverage
    request = Request("coverage", max_prompts=budget)
    alone = segmenter.segment_everything(picture(), request=request)
    assert whole.answers(budget)
    part = whole.within(budget)
    assert part.prompts.to_list() == alone.prompts.to_list()
    assert part.run.masks_decoded == alone.masks_decoded
    assert whole.filtered(request)[0].rles == alone.masks.rles
    assert not whole.answers(25)


def test_hierarchical_search_answers_its_own_grid_alone(segmenter: Segmenter) -> None:
    whole = raw(segmenter, small("hierarchical"))
    assert [whole.answers(prompts) for prompts in (35, 36, 48, 49)] == [False, True, True, False]
    assert whole.within(16).prompts.to_list() == whole.prompts.to_list()


def test_prompts_of_two_kinds_are_not_decoded_at_once(segmenter: Segmenter) -> None:
    class Mixed:
        name, filters = "mixed", KEEP_ALL

        def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
            point = Prompts(points=np.ones((1, 1, 2), np.float32), labels=np.ones((1, 1), np.int64))
            box = Prompts(boxes_xyxy=np.array([[1, 1, 9, 9]], np.float32))
            yield Prompts.concatenate([point, box])

    with pytest.raises(PromptError, match="one kind at a time"):
        segmenter.segment_everything(picture(), sampler=Mixed())


@pytest.mark.parametrize("name", [name for name, kind in SAMPLERS.items() if kind.has_detector])
def test_samplers_of_objects_need_a_detector(name: str) -> None:
    with pytest.raises(PromptError, match="without a detector"):
        tiny_segmenter(detector=None).segment_everything(picture(), sampler=name)
