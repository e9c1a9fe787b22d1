"""Reading COCO-style annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.evaluate.datasets import DatasetError, compressed_rle, read_coco

SQUARE = np.zeros((8, 10), dtype=np.uint8, order="F")
SQUARE[2:5, 3:7] = 1


def _text_rle() -> dict[str, Any]:
    rle = coco_mask.encode(SQUARE)
    return {"size": [8, 10], "counts": rle["counts"].decode("ascii")}


def _annotation(image_id: int, **changes: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 1, "iscrowd": 0, "segmentation": _text_rle(), **changes}


def _image(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.png", "width": 10, "height": 8, **changes}


def _written(folder: Path, **content: Any) -> Path:
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": [], **content}))
    return path


def test_masks_come_with_their_tightest_boxes(tmp_path: Path) -> None:
    (photograph,) = read_coco(_written(tmp_path, images=[_image(1)], annotations=[_annotation(1)]))
    assert photograph.path == tmp_path / "images" / "1.png"
    assert photograph.size_hw == (8, 10)
    assert photograph.boxes_xyxy.tolist() == [[3, 2, 7, 5]]
    assert (coco_mask.decode(photograph.rles[0]) == SQUARE).all()


@pytest.mark.parametrize(
    "segmentation",
    [
        _text_rle(),
        {"size": [8, 10], "counts": [26, 3, 5, 3, 5, 3, 5, 3, 27]},
        [[3, 2, 7, 2, 7, 5, 3, 5]],
    ],
    ids=["text", "numbers", "polygon"],
)
def test_every_form_of_a_mask_is_read_alike(segmentation: Any) -> None:
    rle = compressed_rle(segmentation, size_hw=(8, 10))
    assert (coco_mask.decode(rle) == SQUARE).all()


def test_crowds_boxes_and_empty_masks_are_left_out(tmp_path: Path) -> None:
    empty = {"size": [8, 10], "counts": [80]}
    annotations = [
        _annotation(1),
        _annotation(1, iscrowd=1),
        _annotation(1, segmentation=None, box_only=1),
        _annotation(1, segmentation=empty),
        _annotation(1, segmentation=[[3, 2, 7, 2]]),  # a line
        _annotation(2, segmentation=None, box_only=1),
    ]
    (photograph,) = read_coco(_written(tmp_path, images=[_image(1), _image(2)], annotations=annotations))
    assert len(photograph.rles) == 1


def test_a_split_selects_its_pictures(tmp_path: Path) -> None:
    images = [_image(1, split="train"), _image(2, split="val"), _image(3)]
    path = _written(tmp_path, images=images, annotations=[_annotation(n) for n in (1, 2, 3)])
    assert [photograph.path.name for photograph in read_coco(path, split="val")] == ["2.png"]
    assert len(read_coco(path)) == 3


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    path = _written(tmp_path, images=[_image(1)], annotations=[_annotation(1)])
    (photograph,) = read_coco(path, images="elsewhere")
    assert photograph.path == Path("elsewhere/1.png")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("not JSON", "is not a COCO annotation file"),
        ("[]", "is not a COCO annotation file"),
        ('{"images": [{"id": 1}], "annotations": []}', "is not a COCO annotation file"),
        ('{"images": [], "annotations": ["mask"]}', "is not a COCO annotation file"),
        ('{"images": [], "annotations": []}', "has no picture with a mask in the split 'val'"),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=sentence):
        read_coco(path, split="val")


def test_a_missing_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json cannot be read: No such file or directory\."):
        read_coco(tmp_path / "none.json")


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, images=[_image(1, width=11)], annotations=[_annotation(1)])
    with pytest.raises(DatasetError, match=r"a mask of the size \[8, 10\] for a picture of \[8, 11\]"):
        read_coco(path)
