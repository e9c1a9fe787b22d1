"""The files a photograph and its masks can be taken away as."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.export import DATASETS, FORMATS, chosen_formats, files_of, write_archive
from mobilesamv2.render import overlay
from mobilesamv2.types import Masks
from tests.tiny import picture, tiny_segmenter

from .examples import boxes_as_masks

LEGEND = ["legend.csv", "legend.json"]
MASKS = boxes_as_masks([(1, 2, 11, 5), (0, 0, 60, 40)], (40, 60))


@pytest.mark.parametrize(
    ("formats", "names"),
    [
        ((), []),
        (("coco",), ["coco.json"]),
        (("uncovered",), ["uncovered.png"]),
        (("labelme", "cvat"), ["labelme/photo.json", "cvat.xml"]),
        (("overlay",), ["overlay.png"]),
        (("label-map",), [*LEGEND, "label_map.png"]),
        (("masks",), [*LEGEND, "masks/0001.png", "masks/0002.png"]),
        (("cutouts",), [*LEGEND, "cutouts/0001.png", "cutouts/0002.png"]),
    ],
)
def test_each_format_brings_its_files(formats: tuple[str, ...], names: list[str]) -> None:
    assert [path for path, _ in files_of(picture(), MASKS, formats=formats)] == names


def test_all_formats_together_bring_each_file_once() -> None:
    names = [path for path, _ in files_of(picture(), MASKS, formats=FORMATS)]
    assert len(names) == len(set(names)) == 18


def test_numbers_are_the_same_in_every_file() -> None:
    masks = tiny_segmenter().segment_everything(picture()).masks
    files = dict(files_of(picture(), masks, formats=FORMATS, file_name="a.png", info={"model": "tiny"}))
    annotations = json.loads(files["coco.json"])["annotations"]
    rows = json.loads(files["legend.json"])
    for index in range(len(masks)):
        number = index + 1
        with Image.open(io.BytesIO(files[f"masks/{number:04}.png"])) as image:
            assert (np.asarray(image) == masks.dense_one(index)).all()
        with Image.open(io.BytesIO(files[f"cutouts/{number:04}.png"])) as image:
            assert image.size == (rows[index]["width"], rows[index]["height"])
        assert annotations[index]["id"] == rows[index]["id"] == number
        assert annotations[index]["area"] == rows[index]["area"]
    with Image.open(io.BytesIO(files["label_map.png"])) as image:
        assert (np.asarray(image) == masks.label_map()).all()
    with Image.open(io.BytesIO(files["overlay.png"])) as image:
        assert (np.asarray(image) == overlay(picture(), masks)).all()


def test_no_masks_are_files_too() -> None:
    formats = ["coco", "label-map", "masks", "cutouts", "overlay", "uncovered"]
    names = [path for path, _ in files_of(picture(), Masks.empty((40, 60)), formats=formats)]
    assert names == ["coco.json", *LEGEND, "uncovered.png", "overlay.png", "label_map.png"]
    for path, content in files_of(picture(), Masks.empty((40, 60)), formats=DATASETS):
        assert content or path == "yolo/labels/photo.txt"


def test_what_no_mask_covers_is_a_picture() -> None:
    masks = boxes_as_masks([(0, 0, 60, 30), (0, 0, 10, 40)], (40, 60))
    ((_, content),) = files_of(picture(), masks, formats=["uncovered"])
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "1"
        assert (np.asarray(image) == ~masks.dense().any(axis=0)).all()


def test_formats_of_data_sets_alone_can_be_chosen_from() -> None:
    assert chosen_formats("all", of=DATASETS) == tuple(DATASETS)
    with pytest.raises(ValueError, match="no format 'masks'; choose from coco, coco-polygons"):
        chosen_formats("masks", of=DATASETS)


def test_masks_of_another_picture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(40, 60\)"):
        next(files_of(picture(30, 60), MASKS, formats=["coco"]))


def test_an_archive_holds_the_files_as_they_are() -> None:
    target = io.BytesIO()
    files = list(files_of(picture(), MASKS, formats=FORMATS))
    write_archive(target, iter(files))
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == files


def test_an_archive_of_nothing_can_be_opened() -> None:
    target = io.BytesIO()
    write_archive(target, [])
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == []


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("masks", ("masks",)),
        ("cutouts, Masks", ("masks", "cutouts")),
        ("label_map,", ("label-map",)),
        (["overlay", "coco"], ("coco", "overlay")),
        ("all", tuple(FORMATS)),
        (["masks", "all"], tuple(FORMATS)),
    ],
)
def test_formats_are_named_by_people(named: str | list[str], expected: tuple[str, ...]) -> None:
    assert chosen_formats(named) == expected


@pytest.mark.parametrize("named", ["", ",", [], "masks,pdf", ["gif"]])
def test_a_format_that_does_not_exist_or_none_is_refused_with_a_list(named: str | list[str]) -> None:
    with pytest.raises(ValueError, match=r"coco, coco-polygons, .*, overlay, uncovered"):
        chosen_formats(named)


def test_many_masks_of_a_large_picture_are_never_held_at_once() -> None:
    # 60 masks of 1.2 megapixels: 72 MB as bool arrays, 288 MB as cut-outs.
    large = np.zeros((1000, 1200, 3), dtype=np.uint8)
    masks = boxes_as_masks([(i, i, 1200 - i, 1000 - i) for i in range(60)], (1000, 1200))
    tracemalloc.start()
    total = sum(len(content) for _, content in files_of(large, masks, formats=["masks", "cutouts"]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000
    assert total < 4_000_000
