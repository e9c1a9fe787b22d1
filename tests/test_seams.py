"""Parts of one object are joined across windows, and neighbours are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilesamv2.geometry import Tiles
from mobilesamv2.seams import WindowMasks, joined, placed
from mobilesamv2.types import Bools, Masks
from tests.drawn import masks_of

SIZE = (60, 100)
LEFT, RIGHT, WHOLE = (0, 0, 60, 60), (40, 0, 100, 60), (0, 0, 100, 60)


def rectangle(x0: int, y0: int, x1: int, y1: int) -> Bools:
    shape = np.zeros(SIZE, dtype=np.bool_)
    shape[y0:y1, x0:x1] = True
    return shape


def seen(window: tuple[int, int, int, int], *shapes: Bools, is_whole: bool = False) -> WindowMasks:
    """What a window sees of shapes."""
    inside = rectangle(*window)
    parts = [shape & inside for shape in shapes if (shape & inside).any()]
    return WindowMasks(window, masks_of(parts, SIZE), is_whole)


def shapes_of(masks: Masks) -> set[bytes]:
    return {mask.tobytes() for mask in masks}


def assert_boxes_are_tight(masks: Masks) -> None:
    for mask, box in zip(masks, masks.boxes_xyxy, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_no_masks_are_joined_to_none() -> None:
    assert len(joined([seen(LEFT), seen(RIGHT)])) == 0


@pytest.mark.parametrize(
    "shape",
    [
        rectangle(10, 10, 90, 30),  # cut by both
        rectangle(42, 10, 58, 30),  # whole in both
        rectangle(10, 10, 50, 30),  # whole in the left one
        rectangle(55, 10, 90, 30),  # whole in the right one
        rectangle(0, 0, 100, 60),  # everything
        rectangle(10, 10, 20, 20),  # seen by one only
    ],
    ids=["cut by both", "whole in both", "whole left", "whole right", "everything", "left only"],
)
@pytest.mark.parametrize("with_whole", [False, True])
def test_one_object_is_one_mask(shape: Bools, with_whole: bool) -> None:
    parts = [seen(LEFT, shape), seen(RIGHT, shape)]
    if with_whole:
        parts.insert(0, seen(WHOLE, shape, is_whole=True))
    found = joined(parts)
    assert shapes_of(found) == {shape.tobytes()}
    assert_boxes_are_tight(found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rectangle(10, 10, 49, 30), rectangle(49, 10, 90, 30)),  # they touch where both windows see
        (rectangle(10, 10, 60, 30), rectangle(60, 10, 90, 30)),  # at the edge of the left one
        (rectangle(10, 10, 40, 30), rectangle(40, 10, 90, 30)),  # at the edge of the right one
        (rectangle(10, 10, 90, 30), rectangle(10, 30, 90, 50)),  # along the seam
        (rectangle(30, 10, 70, 50), rectangle(44, 25, 56, 35)),  # a part on its whole
    ],
    ids=["between", "left edge", "right edge", "along", "part of a whole"],
)
@pytest.mark.parametrize("with_whole", [False, True])
def test_neighbours_stay_apart(one: Bools, other: Bools, with_whole: bool) -> None:
    parts = [seen(LEFT, one, other), seen(RIGHT, one, other)]
    if with_whole:
        parts.insert(0, seen(WHOLE, one, other, is_whole=True))
    assert shapes_of(joined(parts)) == {one.tobytes(), other.tobytes()}


def test_a_part_that_ends_within_both_windows_is_not_joined_to_a_whole_that_goes_on() -> None:
    # In what both see they are alike, but the left window saw that the part ends there.
    part, whole = rectangle(44, 10, 58, 30), rectangle(44, 10, 95, 30)
    left, right = WindowMasks(LEFT, masks_of([part], SIZE)), WindowMasks(RIGHT, masks_of([whole], SIZE))
    assert shapes_of(joined([left, right])) == {part.tobytes(), whole.tobytes()}


def test_a_fragment_is_left_to_the_window_that_sees_all_of_it() -> None:
    # The left window takes the first columns of what begins at its edge for something else.
    object_, fragment = rectangle(50, 10, 90, 40), rectangle(54, 12, 60, 20)
    left, right = WindowMasks(LEFT, masks_of([fragment], SIZE)), WindowMasks(RIGHT, masks_of([object_], SIZE))
    assert shapes_of(joined([left, right])) == {object_.tobytes()}
    alone = joined([left, WindowMasks(RIGHT, masks_of([], SIZE))])
    assert shapes_of(alone) == {fragment.tobytes()}  # nobody else has it


def test_masks_that_differ_a_little_are_joined_and_the_largest_part_decides() -> None:
    left, right = rectangle(5, 10, 60, 30), rectangle(40, 11, 95, 31)
    found = joined([WindowMasks(LEFT, masks_of([left], SIZE)), WindowMasks(RIGHT, masks_of([right], SIZE))])
    (mask,) = found
    assert (mask[:, :60] == left[:, :60]).all()
    assert (mask[:, 60:] == right[:, 60:]).all()


def test_a_joined_mask_has_the_scores_and_the_prompt_of_its_largest_part() -> None:
    left, right = rectangle(30, 10, 60, 30), rectangle(40, 10, 95, 30)
    parts = [WindowMasks(LEFT, masks_of([left], SIZE)), WindowMasks(RIGHT, masks_of([right], SIZE))]
    found = joined(parts)
    assert found.scores.tolist() == parts[1].masks.scores.tolist()


def test_an_object_over_four_windows_is_one_mask() -> None:
    windows = Tiles(side=32, overlap=0.25).windows(SIZE)
    assert len(windows) > 4
    shape = rectangle(5, 5, 95, 55)
    assert shapes_of(joined([seen(window, shape) for window in windows])) == {shape.tobytes()}


def test_masks_of_a_window_are_moved_into_the_picture() -> None:
    window = np.zeros((60, 60), dtype=np.bool_)
    window[3:9, 5:20] = True
    masks = masks_of([window, np.zeros_like(window)], (60, 60))
    found = placed(masks, RIGHT, SIZE)
    assert found.boxes_xyxy.tolist() == [[45, 3, 60, 9], [0, 0, 0, 0]]
    np.testing.assert_array_equal(found.dense_one(0), rectangle(45, 3, 60, 9))
    assert not found.dense_one(1).any()


boxes = st.tuples(st.integers(0, 8), st.integers(0, 4), st.integers(1, 6), st.integers(1, 4))


@given(st.lists(boxes, min_size=1, max_size=6), st.sampled_from([32, 40, 64]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_shapes_that_do_not_overlap_come_out_as_they_were(
    cells: list[tuple[int, int, int, int]], side: int, with_whole: bool
) -> None:
    labels = np.zeros(SIZE, dtype=np.int64)
    for number, (column, row, wide, high) in enumerate(cells, start=1):  # cells of 10 pixels, a gap between
        labels[row * 10 + 1 : (row + high) * 10 - 1, column * 10 + 1 : (column + wide) * 10 - 1] = number
    shapes = [labels == number for number in np.unique(labels[labels > 0])]
    shapes = [shape for shape in shapes if _is_one_piece(shape)]
    parts = [seen(window, *shapes) for window in Tiles(side=side, overlap=0.4).windows(SIZE)]
    if with_whole:
        parts.insert(0, seen(WHOLE, *shapes, is_whole=True))
    assert shapes_of(joined(parts)) == {shape.tobytes() for shape in shapes}


def _is_one_piece(shape: Bools) -> bool:
    """Whether it is a rectangle still: what others lie on may be in pieces, which no window could know."""
    rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
    return bool(shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())
