"""One data set of any number of photographs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from mobilesamv2.export import DATASETS, dataset_files, write_archive
from mobilesamv2.types import Masks

from .examples import blobs, boxes_as_masks, ring, without_holes

PHOTOS = [("x/a.jpg", blobs(3)), ("x/b.png", blobs(2, (20, 30), seed=1)), ("c.jpg", Masks.empty((4, 6)))]


def test_each_format_brings_its_files() -> None:
    assert [path for path, _ in dataset_files(PHOTOS, formats=DATASETS)] == [
        "coco.json",
        "coco_polygons.json",
        *("panoptic/x/a.png", "panoptic/x/b.png", "panoptic/c.png", "panoptic.json"),
        *("yolo/data.yaml", "yolo/labels/x/a.txt", "yolo/labels/x/b.txt", "yolo/labels/c.txt"),
        *("labelme/x/a.json", "labelme/x/b.json", "labelme/c.json"),
        "label_studio.json",
        "cvat.xml",
    ]
    assert list(dataset_files(PHOTOS, formats=["masks"])) == []


def test_no_data_set_points_at_prompts_that_are_not_in_it() -> None:
    for path, content in dataset_files(PHOTOS, formats=DATASETS):
        assert b"prompt_index" not in content, path


@pytest.mark.parametrize("polygons", [False, True])
def test_pycocotools_reads_both_forms_of_coco(tmp_path: Path, polygons: bool) -> None:
    ((_, content),) = dataset_files(PHOTOS, formats=["coco-polygons" if polygons else "coco"])
    (tmp_path / "coco.json").write_bytes(content)
    coco = COCO(str(tmp_path / "coco.json"))
    assert sorted(coco.anns) == [1, 2, 3, 4, 5]
    assert [coco.imgs[number]["file_name"] for number in (1, 2, 3)] == ["x/a.jpg", "x/b.png", "c.jpg"]
    for image_id, (_, masks) in enumerate(PHOTOS, start=1):
        for annotation, mask in zip(coco.loadAnns(coco.getAnnIds(imgIds=image_id)), masks, strict=True):
            found = coco.annToMask(annotation).astype(np.bool_)
            assert annotation["area"] == mask.sum()
            if polygons:  # islands that touch at a corner are rings of their own
                assert (mask | found == found).all()
                assert (without_holes(mask) | found == without_holes(mask)).all()
            else:
                assert (found == mask).all()


def test_cocos_polygons_fill_a_hole_and_are_exact_otherwise(tmp_path: Path) -> None:
    masks = Masks.concatenate([ring(), boxes_as_masks([(3, 4, 9, 30)], (40, 60), scores=0.5)])
    ((_, content),) = dataset_files([("a.jpg", masks)], formats=["coco-polygons"])
    (tmp_path / "coco.json").write_bytes(content)
    coco = COCO(str(tmp_path / "coco.json"))
    first, second = (coco.annToMask(coco.anns[number]).astype(np.bool_) for number in (1, 2))
    overlap, union = (first & masks.dense_one(0)).sum(), (first | masks.dense_one(0)).sum()
    assert overlap / union == (20 * 20 - 8 * 8) / (20 * 20)
    assert (second == masks.dense_one(1)).all()
    assert coco.anns[2]["segmentation"] == [[3, 4, 9, 4, 9, 30, 3, 30]]


@pytest.mark.parametrize("format_", ["coco", "coco-polygons"])
def test_a_parent_is_an_id_of_the_data_set(format_: str) -> None:
    boxes = [(1, 1, 5, 5), (0, 0, 0, 0), (0, 0, 20, 20), (0, 0, 10, 10)]
    masks = boxes_as_masks(boxes, (40, 60), scores=0.5)
    ((_, content),) = dataset_files([("a.jpg", masks), ("b.jpg", masks)], formats=[format_])
    records = json.loads(content)["annotations"]
    found = [record["parent"] for record in records]
    assert found == ([4, None, None, 3, 8, None, None, 7] if format_ == "coco" else [3, None, 2, 6, None, 5])
    assert [record["id"] for record in records] == list(range(1, len(records) + 1))


@pytest.mark.parametrize(
    ("file_names", "stems"),
    [
        (["../../etc/passwd"], ["etc/passwd"]),
        (["/home/ann/a.jpg"], ["home/ann/a"]),
        ([""], ["photo"]),
        ([".."], ["photo"]),
        ([".hidden"], [".hidden"]),
        (["..\\..\\x.jpg", "a\x00\nb.jpg", os.fsdecode(b"caf\xe9.jpg")], [".._.._x", "a__b", "caf_"]),
        (["a:b.jpg", "a?b.jpg"], ["a:b", "a?b"]),
        (["a.jpg", "a.png", "A.jpg"], ["a", "a-2", "A-3"]),
    ],
)
def test_files_of_a_photo_have_its_name_and_stay_in_the_folder(file_names: list[str], stems: list[str]) -> None:
    photos = [(name, Masks.empty((4, 6))) for name in file_names]
    paths = [path for path, _ in dataset_files(photos, formats=["labelme"])]
    assert paths == [f"labelme/{stem}.json" for stem in stems]


def test_any_name_can_be_put_into_an_archive() -> None:
    photos = [(os.fsdecode(b"caf\xe9\x01.jpg"), blobs(1))]
    target = io.BytesIO()
    write_archive(target, dataset_files(photos, formats=DATASETS))
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert "labelme/caf__.json" in archive.namelist()
        (image,) = json.loads(archive.read("coco.json"))["images"]
    assert image["file_name"] == photos[0][0]
