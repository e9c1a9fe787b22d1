"""Results as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from mobilesamv2.export import coco_dataset, json_bytes, legend, legend_csv, masks_from_coco
from mobilesamv2.render import label_colours
from mobilesamv2.types import Masks
from tests.tiny import picture, tiny_segmenter

from .examples import blobs, boxes_as_masks


def test_pycocotools_reads_the_masks_of_several_photographs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = [tiny_segmenter().segment_everything(picture(seed=seed)).masks for seed in (0, 1)]
    content = json_bytes(coco_dataset([("a.jpg", found[0]), ("b.jpg", found[1])], info={"model": "tiny"}))
    (tmp_path / "coco.json").write_bytes(content)
    coco = COCO(str(tmp_path / "coco.json"))
    assert [coco.imgs[i]["file_name"] for i in coco.getImgIds()] == ["a.jpg", "b.jpg"]
    assert coco.dataset["info"]["model"] == "tiny"
    assert sorted(coco.anns) == list(range(1, len(found[0]) + len(found[1]) + 1))
    for image_id, masks in zip(coco.getImgIds(), found, strict=True):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id, catIds=[1]))
        assert len(annotations) == len(masks) > 0
        for index, annotation in enumerate(annotations):
            assert (coco.annToMask(annotation) == masks.dense_one(index)).all()
            assert annotation["area"] == masks.areas[index]
            assert annotation["score"] == pytest.approx(float(masks.scores[index]))


def test_no_photograph_and_no_mask_are_data_sets_too() -> None:
    assert coco_dataset([])["images"] == []
    nothing = coco_dataset([("a.jpg", Masks.empty((4, 6)))])
    assert nothing["images"] == [{"id": 1, "file_name": "a.jpg", "width": 6, "height": 4}]
    assert nothing["annotations"] == []


def test_the_legend_tells_number_colour_area_and_box() -> None:
    masks = boxes_as_masks([(1, 2, 11, 5), (0, 0, 1, 1)], (20, 30), scores=0.5)
    first, second = legend(masks)
    assert (first["id"], second["id"]) == (1, 2)
    assert first["colour"] == "#" + bytes(label_colours(2)[0]).hex()
    assert first["area"] == 30
    assert [first[name] for name in ("x", "y", "width", "height")] == [1, 2, 10, 3]
    assert (first["score"], first["detector_score"]) == (0.5, None)


def test_the_legend_takes_the_colours_of_the_overlay() -> None:
    masks = boxes_as_masks([(1, 2, 11, 5)], (20, 30))
    assert legend(masks, colours=np.array([[1, 2, 255]], dtype=np.uint8))[0]["colour"] == "#0102ff"


def test_the_legend_as_a_table_has_a_line_for_each_mask() -> None:
    masks = boxes_as_masks([(1, 2, 11, 5), (0, 0, 1, 1)], (20, 30), scores=np.nan)
    rows = list(csv.DictReader(io.StringIO(legend_csv(legend(masks)))))
    assert [row["id"] for row in rows] == ["1", "2"]
    assert (rows[0]["area"], rows[0]["score"]) == ("30", "")
    assert legend_csv([]).count("\n") == 1


def test_a_file_name_that_is_no_text_survives_the_way_through_json() -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    assert json.loads(json_bytes({"file_name": name})) == {"file_name": name}


def test_numbers_that_json_does_not_know_are_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_bytes({"score": float("nan")})


def test_masks_survive_the_way_through_cocos_records() -> None:
    masks = Masks.concatenate([blobs(), boxes_as_masks([(0, 0, 0, 0)], (40, 60))])
    back = masks_from_coco(json.loads(json.dumps(masks.to_coco())), (40, 60))
    assert back.rles == masks.rles
    for name in ("scores", "boxes_xyxy", "predicted_iou", "stability", "detector_scores", "prompt_index"):
        np.testing.assert_array_equal(getattr(back, name), getattr(masks, name))
    assert len(masks_from_coco([], (40, 60))) == 0
