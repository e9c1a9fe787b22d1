"""The table of ways to segment everything, on a tiny model."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.evaluate.baselines import filled_box
from mobilesamv2.evaluate.datasets import Annotated
from mobilesamv2.evaluate.everything import Budgets, everything_table, random_boxes
from mobilesamv2.prompts import GridSampler, MaskFilters
from tests.tiny import picture, tiny_segmenter

BOXES = ((2, 3, 40, 30), (10, 10, 50, 38), (0, 0, 60, 40))


@pytest.fixture
def photograph(tmp_path: Path) -> Annotated:
    Image.fromarray(picture()).save(tmp_path / "a.png")
    rles = tuple(filled_box(np.array(box), size_hw=(40, 60)) for box in BOXES[:2])
    return Annotated(path=tmp_path / "a.png", size_hw=(40, 60), rles=rles)


def test_each_budget_and_baseline_has_a_row(photograph: Annotated) -> None:
    budgets = Budgets(boxes=(2, 5), points_per_side=(3,))
    rows = everything_table(tiny_segmenter(BOXES), [photograph, photograph], budgets=budgets)
    assert [(row["way"], row["prompts"]) for row in rows] == [
        ("object-aware, 2 boxes at most", 2.0),
        ("object-aware, 5 boxes at most", 3.0),
        ("its boxes, filled as ellipses", 0.0),
        ("grid of 3 x 3 points", 9.0),
        ("grid of 3 x 3 points, all but duplicates", 9.0),
        ("random boxes, filled", 0.0),
    ]
    assert {"AR@10", "AR@100", "AR@320", "AR@320 small"} <= rows[0].keys()


def test_a_smaller_budget_is_what_asking_less_gives(photograph: Annotated) -> None:
    segmenter = tiny_segmenter(BOXES)
    together = everything_table(segmenter, [photograph], budgets=Budgets((1, 3), (), baselines=False))
    alone = everything_table(segmenter, [photograph], budgets=Budgets((1,), (), baselines=False))
    assert together[0].pop("way") == alone[0].pop("way")
    assert together[0] == pytest.approx(alone[0], nan_ok=True)


def test_a_model_without_a_detector_is_measured_by_its_grids(photograph: Annotated) -> None:
    rows = everything_table(
        tiny_segmenter(detector=None), [photograph], budgets=Budgets(points_per_side=(2,), baselines=False)
    )
    assert [row["way"] for row in rows] == [
        "grid of 2 x 2 points",
        "grid of 2 x 2 points, all but duplicates",
    ]


def test_grids_are_filtered_as_if_they_had_been_decoded_so(photograph: Annotated) -> None:
    segmenter = tiny_segmenter(detector=None)
    segmenter.grid_filters = MaskFilters(predicted_iou=0.0, stability=0.5, box_nms=0.7)
    budgets = Budgets(points_per_side=(6,), baselines=False)
    own, unfiltered = everything_table(segmenter, [photograph], budgets=budgets)
    asked = segmenter.segment_everything(photograph.path, sampler="grid", points_per_side=6)
    every = GridSampler(6, filters=MaskFilters(box_nms=0.7))
    assert own["masks"] == len(asked.masks)
    assert unfiltered["masks"] == len(segmenter.segment_everything(photograph.path, sampler=every).masks)
    assert own["masks"] != unfiltered["masks"]


def test_no_photographs_have_no_rows() -> None:
    assert everything_table(tiny_segmenter(), []) == []


def test_random_boxes_lie_in_the_picture_and_are_the_same_every_time() -> None:
    boxes = random_boxes(50, (40, 60))
    assert boxes.shape == (50, 4)
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [60, 40]).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert np.array_equal(boxes, random_boxes(50, (40, 60)))
    assert random_boxes(0, (40, 60)).shape == (0, 4)


def test_the_package_can_be_asked_to_evaluate_by_its_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mobilesamv2.evaluate", "--help"], capture_output=True, text=True, check=True
    )
    assert "--recall" in run.stdout
