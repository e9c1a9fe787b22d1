"""The tables of the paper as data, and what running them gives: ours beside the paper's, and files that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilesamv2 import loading, weights
from mobilesamv2.cli.presets import NAMES
from mobilesamv2.evaluate.baselines import filled_box
from mobilesamv2.evaluate.datasets import Dataset
from mobilesamv2.evaluate.preset_run import ModelChoice, run_presets
from mobilesamv2.evaluate.presets import PRESETS, Metric, Preset, Setting
from mobilesamv2.request import Request
from mobilesamv2.segmenter import Segmenter
from tests.evaluate.photographs import photograph_of
from tests.tiny import picture, tiny_segmenter

BOXES, GRID = Request(max_prompts=2), Request("grid", points_per_side=2)
AR = Metric("AR", (("mask_ar", "1000"),), times=100)
SUM = Metric("both, ms", (("seconds", "discover"), ("seconds", "decode")), times=1000)
SMALL = Preset(
    title="A small table",
    metrics=(AR, SUM),
    settings=(Setting("boxes", BOXES, {"AR": 50.0}), Setting("grid 2 x 2", GRID, {"AR": 40.0})),
    paper={"data": "theirs", "model": "large", "device": "fast"},
)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    path = tmp_path / "a.png"
    Image.fromarray(picture()).save(path)
    rles = [filled_box(np.array(box), size_hw=(40, 60)) for box in ((2, 3, 40, 30), (10, 10, 50, 38))]
    return Dataset((photograph_of(path, (40, 60), rles),), is_federated=False)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """Every name loads the tiny model; which names were asked for, with their detectors."""
    asked: list[tuple[str, object]] = []

    def load(name: str, *, detector: object, **_: object) -> Segmenter:
        asked.append((name, detector))
        return tiny_segmenter()

    monkeypatch.setattr(loading, "load", load)
    monkeypatch.setattr(weights, "missing", lambda files: [file for file in files if file.repo])
    return asked


def test_the_command_line_knows_the_names() -> None:
    assert tuple(PRESETS) == NAMES


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_every_value_of_the_paper_has_a_column(preset: Preset) -> None:
    columns = {metric.name for metric in preset.metrics}
    assert len(columns) == len(preset.metrics)
    for setting in preset.settings:
        assert set(setting.paper) <= columns


def test_table_3_asks_centres_and_grids_for_one_mask_and_for_three() -> None:
    asked = [str(setting.request) for setting in PRESETS["table3"].settings]
    assert len(set(asked)) == len(asked) == 9
    assert {"grid:64", "grid:64:single", "box-centres:320", "box-centres:320:single"} < set(asked)


def test_the_paper_s_sums_and_means_are_those_of_its_values() -> None:
    for row in PRESETS["table2"].settings:
        assert row.paper["prompts, ms"] + row.paper["decoding, ms"] == row.paper["both, ms"]
    for row in PRESETS["table4"].settings:
        mean = np.mean([row.paper[f"AR@{k}"] for k in (10, 100, 1000)])
        assert row.paper["average"] == pytest.approx(mean, abs=0.06)


def test_ours_stand_beside_the_paper_s_in_its_unit(dataset: Dataset, loaded: list[tuple[str, object]]) -> None:
    (record,) = run_presets([SMALL], dataset, ModelChoice("nano"), data_name="data")
    boxes, grid = record["rows"]
    assert (boxes["prompts"], grid["prompts"]) == (2, 4)
    assert boxes["paper"] == {"AR": 50.0}
    assert 0 <= boxes["ours"]["AR"] <= 100
    assert boxes["ours"]["both, ms"] > 0
    assert record["protocol"]["paper"]["data"] == "theirs"
    assert record["protocol"]["here"]["data"] == "data: 1 pictures, 2 objects, labels as annotated"
    assert record["protocol"]["here"]["device"].startswith("CPU")


def test_presets_share_what_they_ask(
    dataset: Dataset, loaded: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[Request] = []
    everything = Segmenter.segment_everything

    def counted(self: Segmenter, image: object, *, request: Request, **options: object) -> object:
        runs.append(request)
        return everything(self, image, request=request, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Segmenter, "segment_everything", counted)
    first, second = run_presets([SMALL, SMALL], dataset, ModelChoice("nano"), data_name="data")
    assert runs == [BOXES, GRID]
    assert first == second


def test_a_row_whose_files_are_missing_names_them_and_the_others_are_run(
    dataset: Dataset, loaded: list[tuple[str, object]]
) -> None:
    (record,) = run_presets([SMALL], dataset, ModelChoice("nano", detector="fastsam-s"), data_name="data")
    boxes, grid = record["rows"]
    assert boxes["ours"] is None
    assert boxes["not_run"] == "not on this machine: Uminosachi/FastSAM/FastSAM-s.pt"
    assert grid["ours"]["AR"] is not None
    assert loaded == [("nano", None)]


def test_encoders_that_are_not_here_are_not_fetched(dataset: Dataset, loaded: list[tuple[str, object]]) -> None:
    (record,) = run_presets([PRESETS["table5"]], dataset, ModelChoice("nano"), data_name="data")
    *named, given = record["rows"]
    assert [row["ours"] for row in named] == [None, None, None]
    assert "RogerQi/MobileSAMV2/l2.pt" in named[1]["not_run"]
    assert (given["setting"], given["paper"]) == ("not in the paper", {})
    assert given["ours"]["AR@1000"] is not None
    assert loaded == [("nano", None)]


def test_a_model_of_the_table_has_no_row_beside_it(
    dataset: Dataset, loaded: list[tuple[str, object]], tmp_path: Path
) -> None:
    given = ModelChoice("mobilesamv2-tinyvit", weights=str(tmp_path), detector="nano-objects")
    (record,) = run_presets([PRESETS["table5"]], dataset, given, data_name="data")
    assert [row["setting"] for row in record["rows"]] == ["ViT-H", "EfficientViT-L2", "TinyViT"]
    assert [row["ours"] is None for row in record["rows"]] == [True, True, False]


def test_settings_that_are_left_out_say_so(dataset: Dataset, loaded: list[tuple[str, object]]) -> None:
    options = {"left_out": ["2 x 2"], "data_name": "data"}
    (record,) = run_presets([SMALL], dataset, ModelChoice("nano"), **options)  # type: ignore[arg-type]
    assert [row["not_run"] for row in record["rows"]] == ["", "left out"]
