"""The study of training with and without boxes: what it asks of each training, and its table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mobilesamv2.evaluate.datasets import Dataset
from mobilesamv2.request import Request
from training import prompt_study
from training.prompt_study import EMBEDDED, REQUESTS, TRAININGS, study, table


def test_every_seed_is_trained_both_ways_on_the_same_crops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    trained = []
    monkeypatch.setattr("training.segmenter.train", lambda **options: trained.append(options))
    monkeypatch.setattr("training.segmenter.export", lambda **options: None)
    monkeypatch.setattr(prompt_study, "measure", lambda weights, dataset: {"true box": float(len(trained))})
    monkeypatch.setattr(prompt_study, "read_dataset", lambda data, split: Dataset((), is_federated=False))
    into = tmp_path / "results" / "prompts.json"
    found = study(data=tmp_path, seeds=[0, 5], steps=7, pictures=2, runs=tmp_path / "runs", threads=1, into=into)
    assert [(each["seed"], each["box_share"]) for each in trained] == [
        (seed, share) for seed in (0, 5) for share in TRAININGS.values()
    ]
    assert len({str(each["run"]) for each in trained}) == 4
    assert all(each["head_only"] and each["steps"] == 7 for each in trained)
    assert {each["begin_with"] for each in trained} == {EMBEDDED}
    assert json.loads(into.read_text()) == found
    assert "--steps 7 --pictures 2 --seeds 0 5" in found["command"]


def test_the_table_has_a_row_for_each_training_with_the_spread_of_its_seeds() -> None:
    rows = [
        {"training": "a", "seed": 0, "true box": 0.5},
        {"training": "a", "seed": 1, "true box": 0.7},
        {"training": "b", "seed": 0, "true box": 0.25},
    ]
    assert table(rows).splitlines()[2:] == [
        "| a | 60.0 (50.0 to 70.0) |",
        "| b | 25.0 (25.0 to 25.0) |",
    ]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_all_samplers_ask_for_a_like_number_of_prompts(request_: Request) -> None:
    assert 100 <= request_.prompts_at_most <= 256
