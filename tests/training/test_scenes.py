from __future__ import annotations

import numpy as np
import pytest

from training.scenes import Scene, draw_crowd, draw_scene


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(np.random.default_rng(seed), size_hw=(96, 128)) for seed in range(30)]


def test_boxes_are_the_tightest_around_their_masks(scenes: list[Scene]) -> None:
    assert sum(len(scene.masks) for scene in scenes) > 100
    for scene in scenes:
        assert scene.boxes_xyxy.shape == (len(scene.masks), 4)
        for mask, (x0, y0, x1, y1) in zip(scene.masks, scene.boxes_xyxy.astype(int), strict=True):
            outside = mask.copy()
            outside[y0:y1, x0:x1] = False
            assert not outside.any()
            inside = mask[y0:y1, x0:x1]
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_of_two_masks_one_lies_inside_the_other_or_apart(scenes: list[Scene]) -> None:
    nested = 0
    for scene in scenes:
        flat = scene.masks.reshape(len(scene.masks), -1).astype(np.int64)
        shared, areas = flat @ flat.T, flat.sum(axis=1)
        smaller = np.minimum(areas[:, None], areas[None, :])
        off_diagonal = ~np.eye(len(areas), dtype=bool)
        overlapping = off_diagonal & (shared > 0)
        nested += int((overlapping & (shared == smaller)).sum())
        # Parts of one whole may overlap each other; a whole never overlaps another whole.
        wholes = ~(overlapping & (shared == areas[:, None]) & (areas[None, :] > areas[:, None])).any(axis=1)
        assert not (overlapping & wholes[:, None] & wholes[None, :]).any()
    assert nested > 0


def test_the_same_seed_draws_the_same_scene(scenes: list[Scene]) -> None:
    again = draw_scene(np.random.default_rng(3), size_hw=(96, 128))
    np.testing.assert_array_equal(again.picture, scenes[3].picture)
    np.testing.assert_array_equal(again.masks, scenes[3].masks)
    assert any(not np.array_equal(again.picture, other.picture) for other in scenes)


def test_a_crowd_is_hundreds_of_small_objects() -> None:
    crowd = draw_crowd(np.random.default_rng(0), size_hw=(192, 256))
    areas = crowd.masks.reshape(len(crowd.masks), -1).sum(axis=1)
    assert 100 < len(areas) < 450
    assert np.median(areas) < 32**2
    again = draw_crowd(np.random.default_rng(0), size_hw=(192, 256))
    np.testing.assert_array_equal(again.picture, crowd.picture)
