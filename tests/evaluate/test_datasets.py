"""Reading COCO-style annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.evaluate.datasets import Dataset, DatasetError, compressed_rle, read_dataset

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
    """Annotations in a folder with the pictures that they name."""
    for image in content.get("images", ()):
        picture = folder / "images" / Path(image.get("file_name") or image["coco_url"]).name
        picture.parent.mkdir(exist_ok=True)
        picture.touch()
    path = folder / "annotations.json"
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": [], **content}))
    return path


def test_masks_come_with_their_tightest_boxes(tmp_path: Path) -> None:
    (photograph,) = read_dataset(_written(tmp_path, images=[_image(1)], annotations=[_annotation(1)])).photographs
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
    first, second = (
        read_dataset(_written(tmp_path, images=[_image(1), _image(2)], annotations=annotations)).photographs[:1] * 2
    )
    assert len(first.rles) == 1
    assert [each.is_crowd for each in second.objects()] == [False, True]


def test_a_split_selects_its_pictures(tmp_path: Path) -> None:
    images = [_image(1, split="train"), _image(2, split="val"), _image(3)]
    path = _written(tmp_path, images=images, annotations=[_annotation(n) for n in (1, 2, 3)])
    assert [each.path.name for each in read_dataset(path, split="val").photographs] == ["2.png"]
    assert len(read_dataset(path).photographs) == 3


def test_a_folder_holds_both_and_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    path = _written(tmp_path, images=[_image(1)], annotations=[_annotation(1)])
    assert len(read_dataset(tmp_path).photographs) == 1
    elsewhere = tmp_path / "images"
    elsewhere.rename(tmp_path / "elsewhere")
    (photograph,) = read_dataset(path, images=tmp_path / "elsewhere").photographs
    assert photograph.path == tmp_path / "elsewhere" / "1.png"


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path, images=[_image(1), _image(2)], annotations=[_annotation(1), _annotation(2)])
    for name in ("1.png", "2.png"):
        (tmp_path / "images" / name).unlink()
    with pytest.raises(DatasetError, match=r"There is no picture .*1\.png and 1 more; name their folder"):
        read_dataset(path)


@pytest.mark.parametrize(
    ("images", "annotations", "sentence"),
    [
        ([_image(1), _image(1)], [_annotation(1)], "The picture id 1 is in .* more than once"),
        ([_image(1)], [_annotation(1, id=7), _annotation(1, id=7)], "The annotation id 7 is in"),
    ],
)
def test_an_id_that_is_there_twice_is_named(tmp_path: Path, images: Any, annotations: Any, sentence: str) -> None:
    with pytest.raises(DatasetError, match=sentence):
        read_dataset(_written(tmp_path, images=images, annotations=annotations))


def _lvis(folder: Path) -> Dataset:
    image = {"id": 1, "coco_url": "http://pictures/val2017/1.png", "width": 10, "height": 8}
    image |= {"neg_category_ids": [3], "not_exhaustive_category_ids": []}
    categories = [{"id": number, "frequency": letter} for number, letter in enumerate("rcf", start=1)]
    annotations = [_annotation(1, id=number, category_id=number) for number in (1, 2, 3)]
    return read_dataset(_written(folder, images=[image], annotations=annotations, categories=categories))


def test_lvis_names_its_pictures_by_address_and_its_categories_by_frequency(tmp_path: Path) -> None:
    dataset = _lvis(tmp_path)
    assert dataset.is_federated
    (photograph,) = dataset.photographs
    assert photograph.path == tmp_path / "images" / "1.png"
    assert [each.frequency for each in photograph.objects()] == ["rare", "common", "frequent"]


def test_annotated_boxes_and_areas_come_before_those_of_the_mask(tmp_path: Path) -> None:
    annotations = [_annotation(1), _annotation(1, bbox=[2, 2, 6, 5], area=30)]
    path = _written(tmp_path, images=[_image(1)], annotations=annotations)
    plain, annotated = read_dataset(path).photographs[0].objects()
    assert (plain.box_xywh, plain.area) == ((3, 2, 4, 3), 12)
    assert (annotated.box_xywh, annotated.area) == ((2, 2, 6, 5), 30)


@pytest.mark.parametrize("box", [[-9, 0, 5, 5], [0, 0, 40, 5], [1, 2, 3]])
def test_an_annotation_outside_its_picture_is_named(tmp_path: Path, box: list[float]) -> None:
    path = _written(tmp_path, images=[_image(1)], annotations=[_annotation(1, id=5, bbox=box)])
    with pytest.raises(DatasetError, match=r"Annotation 5 has the box .* outside 1\.png of 10 x 8 pixels"):
        read_dataset(path).photographs[0].objects()


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
        read_dataset(path, split="val")


def test_a_missing_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.json cannot be read: No such file or directory\."):
        read_dataset(tmp_path / "none.json")


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path, images=[_image(1, width=11)], annotations=[_annotation(1)])
    with pytest.raises(DatasetError, match=r"a mask of the size \[8, 10\] for a picture of \[8, 11\]"):
        read_dataset(path).photographs[0].objects()
