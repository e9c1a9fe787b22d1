"""Drawn scenes as a data set: read as any other, and the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from benchmarks.scenes import KINDS, write_scenes
from mobilesamv2.evaluate.datasets import read_dataset
from training.scenes import draw_scene


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_are_read_as_a_data_set(kind: str, tmp_path: Path) -> None:
    write_scenes(tmp_path, kind=kind, pictures=2, size_hw=(96, 128))
    dataset = read_dataset(tmp_path)
    assert not dataset.is_federated
    assert [photograph.size_hw for photograph in dataset.photographs] == [(96, 128)] * 2
    for photograph in dataset.photographs:
        assert np.asarray(Image.open(photograph.path)).shape == (96, 128, 3)
        for each in photograph.objects():
            assert each.area == coco_mask.area(each.rle)
            assert each.box_xywh == tuple(coco_mask.toBbox(each.rle))


def test_masks_are_those_that_were_drawn_and_come_again_with_the_seed(tmp_path: Path) -> None:
    write_scenes(tmp_path / "two", kind="mixed", pictures=2, seed=5, size_hw=(96, 128))
    write_scenes(tmp_path / "one", kind="mixed", pictures=1, seed=5, size_hw=(96, 128))
    drawn = draw_scene(np.random.default_rng([5, 0]), size_hw=(96, 128))
    for folder in ("one", "two"):
        photograph = read_dataset(tmp_path / folder).photographs[0]
        np.testing.assert_array_equal(np.asarray(Image.open(photograph.path)), drawn.picture)
        np.testing.assert_array_equal(np.stack([coco_mask.decode(rle) for rle in photograph.rles]), drawn.masks)
    write_scenes(tmp_path / "other", kind="mixed", pictures=1, seed=6, size_hw=(96, 128))
    first, other = (next((tmp_path / name / "images").iterdir()).read_bytes() for name in ("one", "other"))
    assert first != other
