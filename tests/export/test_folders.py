"""Results as files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.comparison.compare import compare
from mobilesamv2.export import write_comparison, write_result, write_summary
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


def test_other_formats_are_written_on_request(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result, file_name="photo.jpg", formats=["coco", "masks", "cutouts"])
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    numbered = {
        f"{kind}/{index + 1:04}.png" for kind in ("masks", "cutouts") for index in range(len(result.masks))
    }
    plain = {"masks.json", "overlay.png", "label_map.png", "coco.json", "legend.csv", "legend.json"}
    assert found == plain | numbered
    assert json.loads((tmp_path / "coco.json").read_text())["info"]["model"] == "tiny"


def test_fewer_masks_than_last_time_leave_no_old_ones_behind(
    tmp_path: Path, result: SegmentationResult
) -> None:
    write_result(tmp_path, picture(), result, formats=["masks"])
    (tmp_path / "masks" / "notes.png").write_bytes(b"of the user")
    write_result(tmp_path, picture(), replace(result, masks=result.masks.select([0])), formats=["masks"])
    assert sorted(path.name for path in (tmp_path / "masks").iterdir()) == ["0001.png", "notes.png"]


@pytest.mark.parametrize("formats", [(), ("overlay",), ("label-map",)])
def test_the_three_usual_files_are_the_same_whatever_else_is_asked_for(
    tmp_path: Path, result: SegmentationResult, formats: tuple[str, ...]
) -> None:
    write_result(tmp_path / "plain", picture(), result)
    write_result(tmp_path / "more", picture(), result, formats=formats)
    assert (tmp_path / "plain" / "masks.json").read_bytes() == (tmp_path / "more" / "masks.json").read_bytes()
    for name in ("overlay.png", "label_map.png"):
        with Image.open(tmp_path / "plain" / name) as plain, Image.open(tmp_path / "more" / name) as more:
            assert (np.asarray(plain) == np.asarray(more)).all()
