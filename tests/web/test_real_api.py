"""The real app with the embedded model for programs: its endpoints, and what it writes to its log."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from .conftest import HIDDEN


def test_the_real_app_segments_with_defaults(real_app: str, connect: Callable[[str], Client], photo: Path) -> None:
    overlay, summary = connect(real_app).predict(handle_file(str(photo)), api_name="/segment")
    with Image.open(overlay) as drawn, Image.open(photo) as given:
        assert drawn.format == "PNG"
        assert drawn.size == given.size
    assert (summary["model"], summary["sampler"]) == ("nano", "object-aware")
    assert summary["prompts"] <= 320
    assert summary["masks"] == summary["masks_decoded"] == summary["prompts"]
    assert set(summary["seconds"]) == {"preprocess", "encode", "discover", "decode", "filter", "postprocess"}


def test_the_real_app_compares(real_app: str, connect: Callable[[str], Client], photo: Path) -> None:
    grid, aware, summary = connect(real_app).predict(
        handle_file(str(photo)), max_prompts=32, points_per_side=8, api_name="/compare"
    )
    with Image.open(grid) as left, Image.open(aware) as right:
        assert left.size == right.size
    assert summary["grid"]["prompts"] == 64
    assert summary["grid"]["masks_decoded"] == 192
    assert summary["object_aware"]["prompts"] <= 32
    assert summary["grid"]["seconds"]["encode"] == summary["object_aware"]["seconds"]["encode"] > 0
    assert summary["verdict"].endswith(".")


def test_the_real_app_answers_points_and_boxes(real_app: str, connect: Callable[[str], Client], photo: Path) -> None:
    overlay, record = connect(real_app).predict(
        handle_file(str(photo)),
        points=[[[150, 100]], [[40, 60], [5, 5]]],
        labels=[[1], [1, 0]],
        api_name="/predict_mask",
    )
    with Image.open(overlay) as drawn, Image.open(photo) as given:
        assert drawn.size == given.size
        width, height = given.size
    assert record["image"] == {"width": width, "height": height, "scaled_to_own_range": False}
    for index, mask in enumerate(record["annotations"]):
        assert mask["prompt_index"] == index
        assert coco_mask.decode(mask["segmentation"]).shape == (height, width)
        assert mask["area"] == coco_mask.area(mask["segmentation"])
    _, record = connect(real_app).predict(
        handle_file(str(photo)), boxes=[60, 20, 250, 190], multimask=True, api_name="/predict_mask"
    )
    assert record["masks"] == len(record["annotations"]) == 3


def test_the_real_app_exports_every_format(
    real_app: str, connect: Callable[[str], Client], photo: Path, tmp_path: Path
) -> None:
    file, record = connect(real_app).predict(handle_file(str(photo)), max_prompts=16, api_name="/export")
    assert Path(file).name == "photo-masks.zip"
    with zipfile.ZipFile(file) as packed:
        names = packed.namelist()
        packed.extract("photo/coco.json", tmp_path)
    assert len(names) == 14 + 2 * record["masks"]
    coco = COCO(str(tmp_path / "photo" / "coco.json"))
    assert len(coco.anns) == record["masks"] > 0
    with Image.open(photo) as given:
        assert coco.annToMask(coco.anns[1]).shape == (given.height, given.width)


def test_the_log_has_a_line_a_request_and_no_names_pictures_or_secrets(
    real_app: str, real_app_log: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (80, 60), (200, 30, 30)).save(tmp_path / "ann-at-the-sea.png")
    (tmp_path / "bob-at-home.png").write_bytes(b"no picture")
    before = len(real_app_log.read_text())
    client = Client(real_app, verbose=False, analytics_enabled=False)
    client.predict(handle_file(str(tmp_path / "ann-at-the-sea.png")), max_prompts=16, api_name="/segment")
    with pytest.raises(Exception, match="bob-at-home"):  # the visitor is told
        client.predict(handle_file(str(tmp_path / "bob-at-home.png")), api_name="/segment")
    client.close()
    said = real_app_log.read_text()
    outcomes = re.findall(r"^\S+ \S+ request=segment outcome=(\w+) seconds=[\d.]+$", said[before:], re.MULTILINE)
    assert outcomes == ["answered", "refused"]
    for hidden in (HIDDEN, "ann-at", "bob-at", str(tmp_path), "data:image", "Traceback"):
        assert hidden not in said
