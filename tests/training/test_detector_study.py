from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

import training.detector_study as module
from training.detector import TrainingConfig, weights_in
from training.detector_batches import Mix
from training.detector_export import STUDY
from training.detector_recall import BUDGETS
from training.detector_study import COLUMNS, RESULTS, VARIANTS, Variant, study, study_table

TINY = Variant("tiny", "everything", Mix(coco=0, panoptic=1, partial=0, scenes=1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One panoptic picture to train on and one to measure on, a white rectangle on black."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    pixels = np.zeros((60, 80, 3), dtype=np.uint8)
    pixels[20:40, 10:50] = 255
    images, annotations = [], []
    for number, split in enumerate(("train", "val")):
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        images.append(
            {"id": number, "file_name": f"{number}.png", "height": 60, "width": 80}
            | {"source": "coco-panoptic", "split": split, "masks": "exhaustive"}
        )
        for mask, box in ((pixels > 0, [10, 20, 40, 20]), (pixels == 0, [0, 0, 80, 60])):
            rle = coco_mask.encode(np.asfortranarray(mask[..., 0], dtype=np.uint8))
            segmentation = {"size": rle["size"], "counts": rle["counts"].decode()}
            annotations.append({"image_id": number, "bbox": box, "segmentation": segmentation})
    text = json.dumps({"images": images, "annotations": annotations})
    (root / "annotations.json").write_text(text, encoding="utf-8")
    return root


def test_every_variant_takes_eight_pictures_a_step() -> None:
    assert {v.mix.panoptic + v.mix.coco + v.mix.partial + v.mix.scenes for v in VARIANTS} == {8}
    assert len({variant.name for variant in VARIANTS}) == len(VARIANTS)


def test_each_choice_of_photographs_is_there_with_and_without_as_many_scenes() -> None:
    six = [(bool(v.mix.coco), bool(v.mix.panoptic), v.mix.scenes) for v in VARIANTS if not v.remark]
    choices = [(True, False), (False, True), (True, True)]
    assert sorted(six) == sorted((*choice, scenes) for choice in choices for scenes in (0, 2))
    assert all(bool(v.mix.panoptic) == bool(v.mix.partial) for v in VARIANTS)


def test_variants_without_a_remark_treat_unlabelled_places_as_the_embedded_weights_did() -> None:
    for variant in VARIANTS:
        same = dataclasses.replace(variant.mix, panoptic=2, coco=4, partial=1, scenes=1) == Mix()
        assert same == (not variant.remark)


def test_a_study_measures_every_variant_with_every_seed_and_goes_on_where_it_was(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "results" / "study.json"

    def run(*seeds: int) -> list[dict[str, Any]]:
        config = TrainingConfig(sides=(64,))
        study(data=folder, run=tmp_path, steps=1, into=into, variants=[TINY], seeds=seeds, config=config)
        results: list[dict[str, Any]] = json.loads(into.read_text(encoding="utf-8"))
        return results

    (first,) = run(1)
    assert (first["name"], first["seed"], first["steps"], first["mix"]["scenes"]) == ("tiny", 1, 1, 1)
    for part in ("recall", "blind"):
        assert list(first[part]["coverage"]) == [str(budget) for budget in BUDGETS]
        assert 0 <= first[part]["coverage"]["300"] <= 1
        assert "confident_recall" not in first[part]
    again, second = run(1, 2)
    assert again == first
    assert second["seed"] == 2
    weights = [weights_in(tmp_path / "1-steps" / f"tiny-{seed}" / "last.pt") for seed in (1, 2)]
    assert not torch.equal(*(found["model.0.conv.weight"] for found in weights))

    def train(**_: object) -> None:
        pytest.fail("What is finished must not be trained again.")

    monkeypatch.setattr(module, "train", train)
    assert run(1, 2) == [first, second]


def result(name: str, seed: int, value: float, *, scenes: int = 0, remark: str = "") -> dict[str, Any]:
    by_budget = {str(budget): value for budget in BUDGETS}
    recall = {"average_recall": by_budget, "recall_at_half": by_budget, "coverage": by_budget}
    variant = Variant(name, name.title(), Mix(scenes=scenes), remark)
    blind = {"average_recall": {"100": 0.01}, "coverage": {"100": 0.01}}
    return dataclasses.asdict(variant) | {"seed": seed, "recall": recall, "blind": blind}


def test_the_table_has_the_mean_over_seeds_and_says_how_far_they_are_apart() -> None:
    results = [
        result("a", 1, 0.25),
        result("b", 1, 0.5, scenes=2, remark="odd"),
        result("a", 2, 0.35),
    ]
    head, line, first, second, empty, spread = study_table(results).splitlines()
    assert head.split(" | ")[3:-1] == list(COLUMNS)[:-1]
    assert line.count("---") == 3 + len(COLUMNS)
    assert first == "| A | none | 2 |" + " 0.300 |" * 6 + " 0.010 |" * 2
    assert second == "| B, odd | 2 of 8 | 1 |" + " 0.500 |" * 6 + " 0.010 |" * 2
    assert empty == ""
    assert "AR@100 0.100" in spread
    assert "covered blind 0.000" in spread
    assert "(1 had several)" in spread
    assert study_table(results[:2]).endswith("|\n\nEach variant had one seed.\n")


def test_the_model_card_shows_the_committed_study() -> None:
    section = STUDY.read_text(encoding="utf-8")
    assert study_table(json.loads(RESULTS.read_text(encoding="utf-8"))) in section
    card = Path(__file__).parents[2] / "weights" / "nano-objects.md"
    assert card.read_text(encoding="utf-8").endswith(f"\n{section}")
