"""Results as files."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.comparison.compare import compare
from mobilesamv2.export import FORMATS, files_of, pictures, write_comparison, write_json, write_result, write_summary
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES, SegmentationResult
from mobilesamv2.types import Masks
from tests.tiny import picture, spied, tiny_segmenter


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


@pytest.mark.parametrize("file_name", ["", "photo.jpg", "x/photo.jpg", "/y/a:b.jpg"])
def test_every_format_can_be_written_beside_a_result(
    tmp_path: Path, result: SegmentationResult, file_name: str
) -> None:
    for name in FORMATS:
        folder = tmp_path / "each" / name
        write_result(folder, picture(), result, file_name=file_name, formats=(name,))
        files = files_of(picture(), result.masks, formats=(name,), file_name=file_name)
        assert all((folder / path).is_file() for path, _ in files)
    write_result(tmp_path / "all", picture(), result, file_name=file_name, formats=tuple(FORMATS))
    assert {path.name for path in tmp_path.iterdir()} == {"each", "all"}


def test_masks_survive_the_way_through_json(tmp_path: Path, result: SegmentationResult) -> None:
    write_result(tmp_path, picture(), result, file_name="photo.jpg")
    content = json.loads((tmp_path / "masks.json").read_text(encoding="utf-8"))
    assert content["image"] == {
        "file_name": "photo.jpg",
        "width": 60,
        "height": 40,
        "scaled_to_own_range": False,
    }
    assert content["prompts"] == len(result.prompts)
    assert set(content["seconds"]) == set(STAGES)
    assert len(content["annotations"]) == len(result.masks) > 0
    for index, annotation in enumerate(content["annotations"]):
        assert (coco_mask.decode(annotation["segmentation"]) == result.masks.dense_one(index)).all()
        assert annotation["area"] == result.masks.areas[index]


@pytest.mark.parametrize("sampler", ["object-aware", "grid"])
def test_prompt_index_points_at_prompts_that_are_in_the_file(tmp_path: Path, sampler: str) -> None:
    found = tiny_segmenter().segment_everything(picture(), sampler=sampler, max_prompts=9)
    write_result(tmp_path, picture(), found)
    content = json.loads((tmp_path / "masks.json").read_text(encoding="utf-8"))
    assert len(content["prompt_list"]) == content["prompts"] == len(found.prompts)
    for annotation in content["annotations"]:
        prompt = content["prompt_list"][annotation["prompt_index"]]
        if sampler == "grid":
            assert found.prompts.points is not None
            assert prompt["points"] == [[*found.prompts.points[annotation["prompt_index"], 0].tolist(), 1]]
            assert prompt["box"] is prompt["score"] is None
        else:
            assert found.prompts.boxes_xyxy is not None
            assert prompt["box"] == found.prompts.boxes_xyxy[annotation["prompt_index"]].tolist()
            assert prompt["score"] == pytest.approx(annotation["detector_score"])


def test_a_file_that_cannot_be_written_whole_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "a.json", {"good": 1})

    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:3])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            write_json(tmp_path / "a.json", {"better": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == {"good": 1}


def test_the_overlay_of_a_large_picture_is_a_jpeg(
    tmp_path: Path, result: SegmentationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    for large, name in ((60 * 40, "overlay.png"), (60 * 40 - 1, "overlay.jpg"), (10**9, "overlay.png")):
        monkeypatch.setattr(pictures, "LARGE_PIXELS", large)
        write_result(tmp_path, picture(), result)
        assert [path.name for path in tmp_path.glob("overlay.*")] == [name]
        with Image.open(tmp_path / name) as image:
            assert image.size == (60, 40) if large != 60 * 40 - 1 else image.size < (60, 40)


def test_masks_json_is_written_last(
    tmp_path: Path, result: SegmentationResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[tuple[str, str]] = []
    monkeypatch.setattr(os, "replace", spied(os.replace, renamed))
    write_result(tmp_path, picture(), result, formats=["coco", "masks"])
    assert Path(renamed[-1][1]).name == "masks.json"
    assert len(renamed) == len([path for path in tmp_path.rglob("*") if path.is_file()])


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
    comparison = compare(tiny_segmenter(), picture(), Request("grid", points_per_side=3), Request(max_prompts=2))
    write_comparison(tmp_path, picture(), comparison, file_name="photo.jpg")
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert {run["name"]: run["prompts"] for run in content["runs"]} == {"grid": 9, "object-aware": 2}
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
    numbered = {f"{kind}/{index + 1:04}.png" for kind in ("masks", "cutouts") for index in range(len(result.masks))}
    plain = {"masks.json", "overlay.png", "label_map.png", "coco.json", "legend.csv", "legend.json"}
    assert found == plain | numbered
    assert json.loads((tmp_path / "coco.json").read_text())["info"]["model"] == "tiny"


def test_fewer_masks_than_last_time_leave_no_old_ones_behind(tmp_path: Path, result: SegmentationResult) -> None:
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


def test_the_pictures_of_a_large_comparison_are_jpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = compare(tiny_segmenter(), picture(), Request(max_prompts=1), Request(max_prompts=2))
    write_comparison(tmp_path, picture(), comparison)
    monkeypatch.setattr(pictures, "LARGE_PIXELS", 60 * 40 - 1)
    write_comparison(tmp_path, picture(), comparison)
    names = {path.name for path in tmp_path.iterdir()} - {"comparison.json"}
    assert len(names) == 4
    assert {name[-4:] for name in names} == {".jpg"}  # and none of the smaller picture
