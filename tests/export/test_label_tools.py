"""Masks for programs that label and train, read back by those programs' own code where it is installed."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mobilesamv2.arrays import Bools
from mobilesamv2.export import (
    brush_rle,
    cvat_xml,
    dataset_files,
    json_bytes,
    label_studio_tasks,
    labelme_record,
    yolo_lines,
)
from mobilesamv2.models.detector.ultralytics_import import ultralytics_module
from mobilesamv2.types import Masks
from tests.tiny import picture

from .examples import blobs, boxes_as_masks, dense_as_masks, ring, without_holes

EMPTY = Masks.empty((40, 60))
NO_PIXEL = boxes_as_masks([(0, 0, 0, 0)], (40, 60), scores=0.5)


def iou(one: Bools, other: Bools) -> float:
    return float((one & other).sum() / (one | other).sum())


def filled(masks: Masks) -> Masks:
    """The same without holes."""
    return dense_as_masks(np.stack([without_holes(mask) for mask in masks]))


# YOLO ------------------------------------------------------------------------------------------------------


def read_by_ultralytics(tmp_path: Path, masks: Masks) -> Bools:
    """Dense masks, bool (N, H, W), of the files as Ultralytics' own data set reads them."""
    datasets = ultralytics_module("ultralytics.data.dataset")
    polygon2mask = ultralytics_module("ultralytics.data.utils").polygon2mask
    for path, content in dataset_files([("photo.png", masks)], formats=["yolo"]):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "yolo" / "images").mkdir()
    Image.fromarray(picture()).save(tmp_path / "yolo" / "images" / "photo.png")
    data = {"names": {0: "object"}, "channels": 3, "nc": 1}
    photos = str(tmp_path / "yolo" / "images")
    found = datasets.YOLODataset(img_path=photos, data=data, task="segment", augment=False)
    (label,) = found.labels
    assert label["cls"].ravel().tolist() == [0] * len(label["segments"])
    height, width = label["shape"]
    sized = [segment * [width, height] for segment in label["segments"]]
    return np.array([polygon2mask((height, width), [one.ravel()]) for one in sized], dtype=np.bool_)


def test_ultralytics_reads_masks_with_their_holes_filled(tmp_path: Path) -> None:
    masks = blobs()
    found = read_by_ultralytics(tmp_path, masks)
    assert len(found) == len(masks)
    for index, whole in enumerate(filled(masks)):
        # Islands are joined by lines, which are drawn a pixel wide.
        assert iou(found[index], whole) > 0.97
        assert found[index][whole].all()
        assert 0.7 < iou(found[index], masks.dense_one(index)) < 1


def test_a_mask_in_one_piece_is_exact_in_yolos_form(tmp_path: Path) -> None:
    masks = boxes_as_masks([(3, 5, 20, 30), (0, 0, 60, 40), (59, 39, 60, 40), (7, 7, 8, 20)], (40, 60))
    assert (read_by_ultralytics(tmp_path, masks) == masks.dense()).all()


def test_yolo_has_no_line_for_no_pixel() -> None:
    assert yolo_lines(EMPTY) == yolo_lines(NO_PIXEL) == ""


# labelme ---------------------------------------------------------------------------------------------------


def drawn_as_labelme_does(record: dict[str, Any]) -> list[Bools]:
    """labelme fills a polygon and draws its line with Pillow (`labelme.utils.shape_to_mask`)."""
    masks: dict[int, Bools] = {}
    for shape in record["shapes"]:
        image = Image.new("1", (record["imageWidth"], record["imageHeight"]))
        ImageDraw.Draw(image).polygon([tuple(point) for point in shape["points"]], outline=1, fill=1)
        masks[shape["group_id"]] = masks.get(shape["group_id"], False) | np.array(image)
    return [masks[number] for number in sorted(masks)]


def test_labelmes_polygons_are_exactly_the_masks_with_their_holes_filled() -> None:
    masks = blobs()
    found = drawn_as_labelme_does(labelme_record("x/photo.png", masks))
    assert len(found) == len(masks)
    for one, whole, index in zip(found, filled(masks), range(len(masks)), strict=True):
        assert (one == whole).all()
        assert 0.7 < iou(one, masks.dense_one(index)) <= 1


def test_labelme_fills_a_hole() -> None:
    (found,) = drawn_as_labelme_does(labelme_record("photo.png", ring()))
    assert iou(found, ring().dense_one(0)) == (20 * 20 - 8 * 8) / (20 * 20)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_labelme_itself_reads_its_file(tmp_path: Path) -> None:
    label_file = pytest.importorskip("labelme.label_file", reason="labelme brings Qt: installed by hand")
    shapes = pytest.importorskip("labelme.utils.shape")
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    (tmp_path / "photo.json").write_bytes(json_bytes(labelme_record("photo.png", blobs())))
    read = label_file.LabelFile(str(tmp_path / "photo.json"))
    _, numbers = shapes.shapes_to_label((40, 60), read.shapes, {"object": 1})
    assert set(np.unique(numbers)) - {0} <= {1, 2, 3, 4}
    last = filled(blobs()).dense_one(3)
    assert (numbers[last] == 4).all()


def test_labelmes_file_is_for_the_photo_beside_it() -> None:
    record = labelme_record("x/photo.png", EMPTY)
    assert (record["imagePath"], record["imageData"], record["shapes"]) == ("photo.png", None, [])
    assert labelme_record("photo.png", NO_PIXEL)["shapes"] == []


# CVAT ------------------------------------------------------------------------------------------------------


def test_cvats_masks_are_exact() -> None:
    masks = Masks.concatenate([blobs(), ring(), NO_PIXEL])
    root = ElementTree.parse(io.BytesIO(cvat_xml([("a:b <c>.png", masks)]))).getroot()
    assert root.findtext("version") == "1.1"
    (image,) = root.iter("image")
    assert image.attrib == {"id": "0", "name": "a:b <c>.png", "width": "60", "height": "40"}
    elements = list(image.iter("mask"))
    order = [index for index in masks.painting_order() if masks.areas[index]]
    for place, (element, index) in enumerate(zip(elements, order, strict=True)):
        x, y, width, height = (int(element.attrib[name]) for name in ("left", "top", "width", "height"))
        lengths = [int(length) for length in element.attrib["rle"].split(",")]
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        found = np.zeros((40, 60), dtype=np.bool_)
        found[y : y + height, x : x + width] = flat.reshape(height, width)
        assert (found == masks.dense_one(index)).all()
        assert (element.attrib["label"], element.attrib["z_order"]) == ("object", str(place))


def test_names_that_xml_cannot_hold_are_told_without_what_it_cannot() -> None:
    name = os.fsdecode(b"caf\xe9\x01.jpg")
    root = ElementTree.fromstring(cvat_xml([(name, EMPTY), ("ünï 图 & <b>.jpg", EMPTY)]))
    assert [image.attrib["name"] for image in root.iter("image")] == ["caf__.jpg", "ünï 图 & <b>.jpg"]


def test_datumaro_reads_cvats_file(tmp_path: Path) -> None:
    datumaro = pytest.importorskip("datumaro", reason="datumaro brings another OpenCV: installed by hand")
    masks = blobs()
    (tmp_path / "images").mkdir()
    Image.fromarray(picture()).save(tmp_path / "images" / "photo.png")
    (tmp_path / "photo.xml").write_bytes(cvat_xml([("photo.png", masks)]))
    (item,) = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    order = masks.painting_order()
    found = sorted(item.annotations, key=lambda annotation: annotation.z_order)
    for annotation, index in zip(found, order, strict=True):
        assert (np.asarray(annotation.image, dtype=np.bool_) == masks.dense_one(index)).all()


# Label Studio ----------------------------------------------------------------------------------------------


def test_label_studio_reads_its_brush_exactly() -> None:
    brush = pytest.importorskip("label_studio_converter.brush")
    masks = Masks.concatenate([blobs(), ring(), NO_PIXEL, boxes_as_masks([(0, 0, 60, 40)], (40, 60))])
    (task,) = label_studio_tasks([("photo.png", masks)], model="nano")
    assert task["data"] == {"image": "photo.png"}
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "nano"
    assert len(prediction["result"]) == len(masks)
    for index, region in enumerate(prediction["result"]):
        assert (region["original_width"], region["original_height"]) == (60, 40)
        rgba = brush.decode_rle(region["value"]["rle"]).reshape(40, 60, 4)
        for channel in range(4):
            assert (rgba[:, :, channel] == 255 * masks.dense_one(index)).all()


def test_long_runs_are_told_in_pieces() -> None:
    brush = pytest.importorskip("label_studio_converter.brush")
    masks = boxes_as_masks([(100, 100, 500, 600)], (700, 600))
    rgba = brush.decode_rle(brush_rle(masks, 0)).reshape(700, 600, 4)
    assert (rgba[:, :, 3] == 255 * masks.dense_one(0)).all()


def test_no_masks_are_a_task_too() -> None:
    (task,) = label_studio_tasks([("photo.png", EMPTY)])
    assert task["predictions"][0]["result"] == []
