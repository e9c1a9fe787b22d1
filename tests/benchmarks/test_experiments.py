"""The experiments on a tiny model and drawn scenes of 48 x 64 pixels: what their tables say adds up."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import experiments
from benchmarks.experiments import EXPERIMENTS, Rows, Study
from benchmarks.scenes import write_scenes
from mobilesamv2 import weights
from mobilesamv2.evaluate.datasets import read_dataset
from mobilesamv2.evaluate.objects import FATES
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.request import Request
from mobilesamv2.types import Picture
from tests.tiny import Boxes, tiny_segmenter


class Looks(Boxes):
    """A detector that finds one box, whatever its input side."""

    def __init__(self, network: None, *, input_side: int, nms_iou: float) -> None:
        super().__init__([[2, 3, 40, 30]])
        self.network, self.input_side, self.second_side, self.nms_iou = network, input_side, 0, nms_iou

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        return super().detect(picture, confidence=confidence, iou=iou, max_boxes=max_boxes)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, kind="mixed", pictures=3, size_hw=(48, 64))
    return Study(tiny_segmenter(), read_dataset(folder))


@pytest.fixture(scope="module")
def of_objects(study: Study) -> dict[str, Rows]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments, "GRID", Request("grid", points_per_side=4))
        return EXPERIMENTS["objects"](study)


def test_what_became_of_objects_is_all_of_them(of_objects: dict[str, Rows], study: Study) -> None:
    number = sum(len(photograph.rles) for photograph in study.dataset.photographs)
    rows = of_objects["fates"]
    assert {row["number"] for row in rows if row["size"] == "all"} == {number}
    for row in rows:
        shares = [row[fate] for fate in FATES]
        assert sum(shares) == pytest.approx(100, abs=0.3) if row["number"] else shares == [None] * len(FATES)


def test_sizes_and_crowdedness_each_count_every_object_once(of_objects: dict[str, Rows]) -> None:
    numbers = {row["objects"]: row["number"] for row in of_objects["recall"]}
    for words in ({"small", "medium", "large"}, {name for name in numbers if "in the picture" in name}):
        assert sum(numbers[word] for word in words) == numbers["all"]


def test_more_prompts_find_no_less_and_enough_is_near_the_best(of_objects: dict[str, Rows]) -> None:
    for row in of_objects["prompts"]:
        recalls = {key: value for key, value in row.items() if key.isdecimal() and value is not None}
        assert list(recalls.values()) == sorted(recalls.values())
        if recalls:
            assert recalls[str(row["enough"])] >= max(recalls.values()) - 1.1


def test_samplers_are_measured_with_their_seconds(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "SAMPLERS", ("object-aware:1", "object-aware:3", "grid:2"))
    rows = EXPERIMENTS["samplers"](study)["samplers"]
    assert [(row["sampler"], row["prompts"]) for row in rows] == [
        ("object-aware:1", 1),
        ("object-aware:3", 3),
        ("grid:2", 4),
    ]
    assert all(row["seconds"] > 0 for row in rows)
    assert rows[1]["AR@1000"] >= rows[0]["AR@1000"]


def test_detectors_that_are_here_are_run_and_the_others_named(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "SIDES", (64, 96))
    monkeypatch.setattr(experiments, "ObjectDetector", Looks)
    monkeypatch.setattr(experiments, "build_detector", lambda name: Looks(None, input_side=64, nms_iou=0.7))
    monkeypatch.setattr(weights, "missing", lambda files: [file for file in files if file.repo])
    tables = EXPERIMENTS["detectors"](study)
    assert [(row["detector"], row["input sides"]) for row in tables["detectors"]] == [
        ("nano-objects", "64"),
        ("nano-objects", "96"),
    ]
    assert {"detector": "fastsam-s", "missing file": "Uminosachi/FastSAM/FastSAM-s.pt"} in tables["missing"]


def test_the_command_writes_its_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path, kind="mixed", pictures=2, size_hw=(48, 64))
    out = tmp_path / "results" / "samplers.json"
    monkeypatch.setattr(experiments, "SAMPLERS", ("grid:2",))
    monkeypatch.setattr("mobilesamv2.loading.load", lambda name: tiny_segmenter())
    monkeypatch.setattr(
        "sys.argv", ["experiments", "samplers", "--data", str(tmp_path), "--limit", "1", "-o", str(out)]
    )
    experiments.main()
    assert '"pictures": 1' in out.read_text()
    assert "| grid:2 | 4" in capsys.readouterr().out
