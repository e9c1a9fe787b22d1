"""`mobilesamv2 segment --dataset`: one data set of all photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

import mobilesamv2
from mobilesamv2.cli import main
from mobilesamv2.export import DATASETS, read_result
from tests.tiny import tiny_segmenter

from .conftest import saved


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed, name in enumerate(("a:b.png", "x/c.png", "x/d.png")):
        saved(tmp_path / "in" / name, seed=seed)
    return tmp_path / "in"


def test_one_coco_data_set_holds_all_photographs_with_ids_that_count_through(
    tiny: None, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["segment", str(photos), "-o", str(out), "--recursive", "--coco"]) == 0
    coco = COCO(str(out / "coco.json"))
    assert [coco.imgs[number]["file_name"] for number in (1, 2, 3)] == ["a:b.png", "x/c.png", "x/d.png"]
    assert all((photos / image["file_name"]).is_file() for image in coco.imgs.values())
    assert sorted(coco.anns) == list(range(1, 10))
    for image_id, folder in enumerate(("a_b", "c", "d"), start=1):
        file_name, masks = read_result(out / folder)
        assert file_name == coco.imgs[image_id]["file_name"]
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        for annotation, mask in zip(annotations, masks, strict=True):
            assert (coco.annToMask(annotation).astype(np.bool_) == mask).all()
    assert coco.dataset["info"]["model"] == "tiny"
    assert {path.name for path in out.iterdir()} == {"a_b", "c", "d", "coco.json", "summary.json"}


def test_every_format_can_be_had_of_a_folder(tiny: None, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["segment", str(photos), "-o", str(out), "--recursive", "--dataset", "all"]) == 0
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {"coco_polygons.json", "yolo/labels/x/c.txt", "labelme/x/d.json", "panoptic/a:b.png"} <= found
    assert len(json.loads((out / "label_studio.json").read_text())) == 3
    assert len(DATASETS) == 7


def test_a_data_set_holds_what_was_done_before_too(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, out = tiny_segmenter(), tmp_path / "out"
    segmenter.name = "nano"
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: segmenter)
    command = ["segment", str(photos), "-o", str(out), "--recursive"]
    assert main(command) == 0
    (photos / "broken.png").write_bytes(b"no picture")
    saved(photos / "new.png", seed=9)
    assert main([*command, "--resume", "--coco"]) == 1
    names = [image["file_name"] for image in json.loads((out / "coco.json").read_text())["images"]]
    assert sorted(names) == ["a:b.png", "new.png", "x/c.png", "x/d.png"]


def test_what_is_no_data_set_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["segment", str(saved(tmp_path / "a.png")), "-o", str(tmp_path / "out"), "--dataset", "cutouts"])
    assert refused.value.code == 2
    assert "There is no format 'cutouts'; choose from coco, coco-polygons" in capsys.readouterr().err
