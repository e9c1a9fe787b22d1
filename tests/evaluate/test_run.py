"""Evaluation of a data set: one encoding for all ways, continued after a stop, spread over processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.evaluate.baselines import filled_box
from mobilesamv2.evaluate.datasets import Dataset, DatasetError
from mobilesamv2.evaluate.run import Plan, evaluate
from mobilesamv2.request import Request
from mobilesamv2.segmenter import Segmenter
from tests.evaluate.photographs import photograph_of
from tests.tiny import picture, spied, tiny_segmenter

REQUESTS = (Request(max_prompts=2), Request("grid", points_per_side=3))
PLAN = Plan(make_segmenter=tiny_segmenter, model="tiny", requests=REQUESTS)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    photographs = []
    for seed in range(4):
        path = tmp_path / f"{seed}.png"
        Image.fromarray(picture(seed=seed)).save(path)
        boxes = ((2, 3, 40, 30), (10, 10, 50, 38))[: seed % 3]
        rles = [filled_box(np.array(box), size_hw=(40, 60)) for box in boxes]
        photographs.append(photograph_of(path, (40, 60), rles))
    return Dataset(tuple(photographs), is_federated=False)


def without_seconds(results: dict[str, Any]) -> dict[str, Any]:
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in results["rows"]]
    return results | {"rows": rows}


def test_every_way_is_measured_from_one_encoding(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[Any] = []
    monkeypatch.setattr(Segmenter, "encode", spied(Segmenter.encode, encoded))
    results = evaluate(PLAN, dataset)
    assert len(encoded) == 4
    assert (results["pictures"], [row["objects"] for row in results["rows"]]) == (4, [3, 3])
    boxes, grid = results["rows"]
    assert (boxes["prompts"], grid["prompts"]) == (2, 9)
    assert results["mask_ar"] == boxes["mask_ar"]
    # The detector of the tiny model finds these very boxes.
    assert boxes["prompt_box_ar"]["10"] == 1
    assert "prompt_box_ar" not in grid


def test_a_stopped_run_goes_on_and_gives_the_same(dataset: Dataset, tmp_path: Path) -> None:
    progress = tmp_path / "progress.jsonl"

    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(PLAN, dataset, progress_file=progress, on_picture=stop)
    with progress.open("a") as file:
        file.write('{"file": "cut o')  # killed while it wrote
    counted: list[int] = []
    again = evaluate(PLAN, dataset, progress_file=progress, on_picture=counted.append)
    assert counted == [3, 4]
    assert without_seconds(again) == without_seconds(evaluate(PLAN, dataset))
    assert len([json.loads(line) for line in progress.read_text().splitlines()]) == 5


def test_progress_of_another_run_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    progress = tmp_path / "progress.jsonl"
    evaluate(PLAN, dataset, progress_file=progress)
    other = Plan(make_segmenter=tiny_segmenter, model="another", requests=REQUESTS)
    with pytest.raises(DatasetError, match="holds the progress of another run"):
        evaluate(other, dataset, progress_file=progress)


def test_processes_give_what_one_does(dataset: Dataset) -> None:
    assert without_seconds(evaluate(PLAN, dataset, workers=2)) == without_seconds(evaluate(PLAN, dataset))


def test_a_picture_of_another_size_than_its_annotations_is_named(dataset: Dataset) -> None:
    first = dataset.photographs[0]
    wrong = photograph_of(first.path, (41, 60), [])
    with pytest.raises(DatasetError, match="has 60 x 40 pixels; its annotations are for 60 x 41"):
        evaluate(PLAN, Dataset((wrong,), is_federated=False))
