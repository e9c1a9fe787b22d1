"""Sets of places as runs, against the same in arrays."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mobilesamv2.ops import runs as module
from mobilesamv2.ops.rle import encode_window, window_runs
from mobilesamv2.ops.runs import difference, edge_runs, intersection, painted, runs_of, within_columns
from mobilesamv2.types import Bools, Ints

SIZE = (9, 7)
masks = arrays(np.bool_, SIZE)


def runs(mask: Bools) -> Ints:
    return window_runs(mask, origin_yx=(0, 0), height=mask.shape[0])


def mask_of(found: Ints, size_hw: tuple[int, int] = SIZE) -> Bools:
    flat = np.zeros(size_hw[0] * size_hw[1], dtype=np.bool_)
    for start, stop in found:
        assert stop > start
        assert not flat[start:stop].any()  # no place twice
        flat[start:stop] = True
    return flat.reshape(size_hw[::-1]).T


@given(masks)
@settings(deadline=None)
def test_runs_of_a_compressed_mask_are_those_it_was_made_of(mask: Bools) -> None:
    rle = encode_window(mask, origin_yx=(0, 0), size_hw=SIZE)
    np.testing.assert_array_equal(runs_of(rle), runs(mask))
    pieces = within_columns(runs(mask), height=SIZE[0])
    np.testing.assert_array_equal(mask_of(pieces), mask)
    assert ((pieces[:, 1] - 1) // SIZE[0] == pieces[:, 0] // SIZE[0]).all()


@given(masks, masks, masks)
@settings(deadline=None)
def test_intersection_and_difference_are_those_of_the_arrays(one: Bools, other: Bools, third: Bools) -> None:
    both = np.concatenate([runs(third), runs(other)])  # overlapping, in no order
    np.testing.assert_array_equal(mask_of(intersection(runs(one), both)), one & (other | third))
    np.testing.assert_array_equal(mask_of(difference(runs(one), both)), one & ~(other | third))


@given(masks, st.integers(0, 4))
@settings(deadline=None)
def test_the_edge_is_what_an_erosion_takes_away(mask: Bools, thickness: int) -> None:
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (2 * thickness + 1,) * 2)
    inner = cv2.erode(mask.astype(np.uint8), cross).astype(np.bool_)  # beyond the picture counts as inside
    np.testing.assert_array_equal(mask_of(edge_runs(runs(mask), size_hw=SIZE, thickness=thickness)), mask & ~inner)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 5), (5, 1)])
def test_a_mask_of_the_whole_picture_has_no_edge(size_hw: tuple[int, int]) -> None:
    full = np.ones(size_hw, dtype=np.bool_)
    assert len(edge_runs(runs(full), size_hw=size_hw, thickness=2)) == 0


@given(st.lists(masks, max_size=4), st.integers(1, 80))
@settings(deadline=None)
def test_later_layers_are_painted_over_earlier_ones_whatever_the_strips(layers: list[Bools], strip: int) -> None:
    expected = np.full(SIZE, -1)
    for value, mask in enumerate(layers):
        expected[mask] = value
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_STRIP", strip)
        found = painted(
            [runs(mask) for mask in layers], range(len(layers)), size_hw=SIZE, background=-1, dtype=np.int16
        )
    np.testing.assert_array_equal(found, expected)
