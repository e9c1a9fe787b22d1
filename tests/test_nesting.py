"""Wholes, parts, and parts of parts."""

from __future__ import annotations

import numpy as np

from mobilesamv2.nesting import Nesting, nested
from mobilesamv2.types import Masks
from tests.export.examples import blobs, boxes_as_masks
from tests.tiny import picture, tiny_segmenter

EYE, FACE, PERSON, TREE, TWIN = (4, 4, 6, 6), (2, 2, 8, 8), (0, 0, 10, 30), (30, 0, 50, 30), (0, 0, 10, 30)


def masks_of(*boxes: tuple[int, int, int, int]) -> Masks:
    return boxes_as_masks(boxes, (40, 60))


def test_no_masks_are_a_tree_too() -> None:
    nothing = Nesting.of(Masks.empty((4, 6)))
    assert (len(nothing), nothing.depths.tolist()) == (0, [])


def test_a_part_belongs_to_the_smallest_mask_around_it() -> None:
    tree = Nesting.of(masks_of(EYE, PERSON, TREE, FACE))
    assert tree.parents.tolist() == [3, -1, -1, 1]
    assert tree.depths.tolist() == [2, 0, 0, 1]
    assert tree.parts_of(1).tolist() == [3]
    assert tree.parts_of(3).tolist() == [0]
    assert tree.parts_of(2).tolist() == []


def test_of_twins_the_later_lies_within_the_earlier_and_never_both() -> None:
    tree = Nesting.of(masks_of(PERSON, TWIN, EYE))
    assert tree.parents.tolist() == [-1, 0, 1]


def test_nearly_all_of_a_part_is_enough() -> None:
    assert Nesting.of(masks_of((0, 0, 20, 10), (0, 0, 10, 10), (11, 0, 21, 10))).parents.tolist() == [
        -1,
        0,
        -1,
    ]
    assert Nesting.of(masks_of((0, 0, 20, 10), (11, 0, 21, 10)), share=0.9).parents.tolist() == [-1, 0]


def test_a_mask_without_a_pixel_is_no_part() -> None:
    assert Nesting.of(masks_of((0, 0, 0, 0), PERSON)).parents.tolist() == [-1, -1]


def test_what_is_nested_has_a_parent() -> None:
    for seed in range(5):
        random = np.random.default_rng(seed)
        corners = random.integers(0, 20, (30, 2))
        boxes = np.concatenate([corners, corners + random.integers(1, 20, (30, 2))], axis=1)
        masks = Masks.concatenate([masks_of(*map(tuple, boxes.tolist())), blobs(4, seed=seed)])
        tree = Nesting.of(masks)
        assert (nested(masks) == (tree.parents >= 0)).all()
        dense = masks.dense().reshape(len(masks), -1)
        for child, parent in enumerate(tree.parents):
            around = [k for k in range(len(masks)) if k != child and lies_in(dense, child, k)]
            smallest = min((masks.areas[k] for k in around), default=None)
            assert (None if parent < 0 else masks.areas[parent]) == smallest


def lies_in(dense: np.ndarray, child: int, parent: int) -> bool:
    small, large = dense[child].sum(), dense[parent].sum()
    is_larger = large > small or (large == small and parent < child)
    return bool(is_larger and (dense[child] & dense[parent]).sum() >= 0.95 * small)


def test_a_result_knows_its_nesting() -> None:
    result = tiny_segmenter().segment_everything(picture())
    assert len(result.nesting) == len(result.masks)
    assert (result.nesting.parents == Nesting.of(result.masks).parents).all()
