"""COCO's panoptic form: each pixel has exactly one segment."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.export import dataset_files, panoptic_image, panoptic_map
from mobilesamv2.types import Masks
from tests.tiny import picture, tiny_segmenter

from .examples import blobs, boxes_as_masks

EMPTY = Masks.empty((40, 60))
HIDDEN = boxes_as_masks([(0, 0, 20, 20), (0, 0, 10, 20), (10, 0, 20, 20)], (40, 60))
"""Two parts hide the whole."""
WHOLE = boxes_as_masks([(0, 0, 60, 40)], (40, 60))


def ids_of(png: bytes) -> np.ndarray:
    """As the panoptic API reads a picture: red + 256 green + 65,536 blue."""
    with Image.open(io.BytesIO(png)) as image:
        assert image.mode == "RGB"
        red, green, blue = np.moveaxis(np.asarray(image).astype(np.int64), -1, 0)
    return np.asarray(red + 256 * green + 65536 * blue)


@pytest.mark.parametrize("masks", [blobs(), EMPTY, HIDDEN, WHOLE], ids=["blobs", "none", "hidden", "whole"])
def test_picture_and_json_agree_about_every_pixel(masks: Masks) -> None:
    files = dict(dataset_files([("x/a.jpg", masks)], formats=["panoptic"]))
    assert list(files) == ["panoptic/x/a.png", "panoptic.json"]
    ids, data = ids_of(files["panoptic/x/a.png"]), json.loads(files["panoptic.json"])
    (annotation,) = data["annotations"]
    assert data["images"] == [{"id": 1, "file_name": "x/a.jpg", "width": 60, "height": 40}]
    assert (annotation["image_id"], annotation["file_name"]) == (1, "x/a.png")
    segments = {segment["id"]: segment for segment in annotation["segments_info"]}
    assert set(np.unique(ids)) == set(segments)
    assert 0 not in segments, "0 is no segment"
    assert sum(segment["area"] for segment in segments.values()) == 40 * 60
    for id_, segment in segments.items():
        y, x = np.nonzero(ids == id_)
        assert segment["area"] == len(x)
        assert segment["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
        assert segment["category_id"] == (2 if id_ > len(masks) else 1)
    assert {category["id"]: category["isthing"] for category in data["categories"]} == {1: 1, 2: 0}


def test_a_segment_lies_on_its_mask_and_has_its_number() -> None:
    masks = tiny_segmenter().segment_everything(picture()).masks
    segments = panoptic_map(masks)
    assert segments.min() >= 1
    for index in range(len(masks)):
        assert masks.dense_one(index)[segments == index + 1].all()
    assert ((segments == len(masks) + 1) == masks.uncovered()).all()


def test_the_smaller_mask_has_the_pixel() -> None:
    assert set(np.unique(panoptic_map(HIDDEN))) == {2, 3, 4}


def test_large_ids_need_three_bytes() -> None:
    ids = np.array([[1, 255, 256, 65536, 70000]], dtype=np.int32)
    packed = io.BytesIO()
    panoptic_image(ids).save(packed, "png")
    assert (ids_of(packed.getvalue()) == ids).all()


def test_ids_of_images_count_through() -> None:
    files = dict(dataset_files([("a.jpg", WHOLE), ("b.jpg", EMPTY)], formats=["panoptic"]))
    data = json.loads(files["panoptic.json"])
    assert [annotation["image_id"] for annotation in data["annotations"]] == [1, 2]
    assert {"panoptic/a.png", "panoptic/b.png"} < set(files)
