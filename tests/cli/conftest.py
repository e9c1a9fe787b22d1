"""A tiny model under every name, and photographs for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

import mobilesamv2
from tests.tiny import picture, tiny_segmenter


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name loads the tiny model."""
    monkeypatch.setattr(mobilesamv2, "load", lambda name, **options: tiny_segmenter())


def saved(path: Path, *, seed: int = 0) -> Path:
    """A photograph at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(seed=seed)).save(path, format="PNG")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one annotated photograph."""
    saved(tmp_path / "images" / "a.png")
    dense = np.zeros((40, 60), dtype=np.uint8, order="F")
    dense[5:25, 10:40] = 1
    rle = coco_mask.encode(dense)
    mask = {"size": [40, 60], "counts": rle["counts"].decode("ascii")}
    content = {
        "images": [{"id": 1, "file_name": "a.png", "width": 60, "height": 40, "split": "val"}],
        "annotations": [{"id": 1, "image_id": 1, "segmentation": mask}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(content))
    return tmp_path
