"""Pictures with labels of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture of each kind: a white rectangle on black, labelled with mask and box, or with a box alone."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    images, annotations = [], []
    kinds = [
        ("coco-panoptic", "train"),
        ("coco-boxes", "train"),
        ("facade", "train"),
        ("coco-panoptic", "val"),
    ]
    for number, (source, split) in enumerate(kinds):
        pixels = np.zeros((60, 80, 3), dtype=np.uint8)
        pixels[20:40, 10:50] = 255
        Image.fromarray(pixels).save(root / "images" / f"{number}.png")
        masks = {"coco-panoptic": "exhaustive", "coco-boxes": "none"}.get(source, "partial")
        images.append(
            {"id": number, "file_name": f"{number}.png", "height": 60, "width": 80}
            | {"source": source, "split": split, "masks": masks}
        )
        rle = coco_mask.encode(np.asfortranarray(pixels[..., 0] // 255))
        masked = {"segmentation": {"size": rle["size"], "counts": rle["counts"].decode()}}
        plain = [{"image_id": number, "bbox": [10.4, 20.2, 39.4, 19.9]}]
        annotations += plain + ([{"image_id": number, "bbox": [10, 20, 40, 20]} | masked] if number != 1 else [])
    text = json.dumps({"images": images, "annotations": annotations})
    (root / "annotations.json").write_text(text, encoding="utf-8")
    return root
