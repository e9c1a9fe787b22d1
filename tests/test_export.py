"""Results as files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.comparison import compare
from mobilesamv2.export import label_map_image, write_comparison, write_json, write_result, write_summary
from mobilesamv2.types import STAGES, Masks, SegmentationResult
from tests.tiny import picture, tiny_segmenter


@pytest.fixture(scope="module")
def result() -> SegmentationResult:
    return tiny_segmenter().segment_everything(picture())


def test_a_result_is_three_files(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path / "new" / "photo", picture(), result, file_name="photo.jpg")
    assert {path.name for path in (tmp_path / "new" / "photo").iterdir()} == {
        "masks.json",
        "overlay.png",
        "label_map.png",
    }


def test_masks_survive_the_way_through_json(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result, file_name="photo.jpg")
    content = json.loads((tmp_path / "masks.json").read_text(encoding="utf-8"))
    assert content["image"] == {"file_name": "photo.jpg", "width": 60, "height": 40}
    assert content["prompts"] == len(result.prompts)
    assert set(content["seconds"]) == set(STAGES)
    assert len(content["annotations"]) == len(result.masks) > 0
    for index, annotation in enumerate(content["annotations"]):
        assert (coco_mask.decode(annotation["segmentation"]) == result.masks.dense_one(index)).all()
        assert annotation["area"] == result.masks.areas[index]


def test_pictures_have_the_size_of_the_photograph(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result)
    for name, mode in (("overlay.png", "RGB"), ("label_map.png", "L")):
        with Image.open(tmp_path / name) as image:
            assert (image.size, image.mode) == ((60, 40), mode)


def test_the_label_map_numbers_masks_in_their_order(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result)
    with Image.open(tmp_path / "label_map.png") as image:
        assert (np.asarray(image) == result.masks.label_map()).all()


def _squares(count: int) -> Masks:
    size_hw = (30, 30)
    rles = []
    for index in range(count):
        dense = np.zeros(size_hw, dtype=np.uint8, order="F")
        dense[index // 30, index % 30] = 1
        rles.append(coco_mask.encode(dense))
    unknown = np.full(count, np.nan, dtype=np.float32)
    corners = np.array([[index % 30, index // 30] for index in range(count)], dtype=np.float32).reshape(-1, 2)
    return Masks(
        size_hw=size_hw,
        rles=tuple(rles),
        scores=unknown,
        boxes_xyxy=np.concatenate([corners, corners + 1], axis=1),
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=np.arange(count),
    )


@pytest.mark.parametrize(("count", "mode"), [(0, "L"), (255, "L"), (256, "I;16"), (600, "I;16")])
def test_label_maps_have_16_bits_where_8_are_too_few(tmp_path: Path, count: int, mode: str) -> None:
    label_map_image(_squares(count)).save(tmp_path / "map.png")
    with Image.open(tmp_path / "map.png") as image:
        assert image.mode == mode
        assert np.asarray(image).max() == count
        assert len(np.unique(np.asarray(image))) == count + 1


def test_no_masks_are_a_result_too(tmp_path: Path, result: SegmentationResult) -> None:
    nothing = replace(result, masks=Masks.empty((40, 60)), prompts=result.prompts[:0])
    write_result(tmp_path, picture(), nothing)
    assert json.loads((tmp_path / "masks.json").read_text())["annotations"] == []
    with Image.open(tmp_path / "overlay.png") as image:
        assert (np.asarray(image) == picture()).all()


def test_earlier_files_are_replaced(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result, file_name="first.jpg")
    write_result(tmp_path, picture(), result, file_name="second.jpg")
    assert json.loads((tmp_path / "masks.json").read_text())["image"]["file_name"] == "second.jpg"


def test_a_comparison_is_a_table_and_four_pictures(tmp_path: Path) -> None:
    comparison = compare(tiny_segmenter(), picture(), max_prompts=2, points_per_side=3)
    write_comparison(tmp_path, picture(), comparison, file_name="photo.jpg")
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert {row["sampler"]: row["prompts"] for row in content["samplers"]} == {"grid": 9, "object-aware": 2}
    assert content["speedup"] > 0
    assert {path.name for path in tmp_path.glob("*.png")} == {
        f"{sampler}-{what}.png" for sampler in ("grid", "object-aware") for what in ("overlay", "prompts")
    }


def test_a_summary_lists_what_worked_and_what_did_not(tmp_path: Path) -> None:
    write_summary(tmp_path / "new", photos=[{"photo": "ä.jpg"}], failures=[{"photo": "b", "error": "No."}])
    content = json.loads((tmp_path / "new" / "summary.json").read_text(encoding="utf-8"))
    assert content == {"photos": [{"photo": "ä.jpg"}], "failures": [{"photo": "b", "error": "No."}]}


def test_a_file_name_that_is_no_text_survives_the_way_through_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write_json(tmp_path / "out.json", {"file_name": name})
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == {"file_name": name}


def test_numbers_that_json_does_not_know_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "out.json", {"score": float("nan")})
