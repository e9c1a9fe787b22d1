"""Run lengths both ways, against pycocotools."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from mobilesamv2.ops.rle import box_of_runs, decode_rle, encode_window, window_runs

Bools = npt.NDArray[np.bool_]
WINDOWS = arrays(np.bool_, st.tuples(st.integers(0, 12), st.integers(0, 12)))
MARGINS = st.tuples(*[st.integers(0, 3)] * 4)


def placed(window: Bools, margins: tuple[int, int, int, int]) -> Bools:
    """A picture with so many rows above, columns to the left, rows below and columns to the right of a window."""
    top, left, below, right = margins
    return np.pad(window, ((top, max(below, not window.shape[0])), (left, max(right, not window.shape[1]))))


@given(WINDOWS, MARGINS)
def test_a_window_is_encoded_as_pycocotools_encodes_the_whole(
    window: Bools, margins: tuple[int, int, int, int]
) -> None:
    whole = placed(window, margins)
    size_hw = (whole.shape[0], whole.shape[1])
    rle = encode_window(window, origin_yx=margins[:2], size_hw=size_hw)
    expected = coco_mask.encode(np.asfortranarray(whole, dtype=np.uint8))
    assert rle == {"size": list(size_hw), "counts": expected["counts"]}


@given(WINDOWS, MARGINS)
def test_decoding_gives_back_what_was_encoded(window: Bools, margins: tuple[int, int, int, int]) -> None:
    whole = placed(window, margins)
    rle = encode_window(window, origin_yx=margins[:2], size_hw=(whole.shape[0], whole.shape[1]))
    np.testing.assert_array_equal(decode_rle(rle), whole)
    top, left = margins[:2]
    box = (left, top, left + window.shape[1], top + window.shape[0])
    np.testing.assert_array_equal(decode_rle(rle, box), window)


@given(WINDOWS, MARGINS)
def test_the_box_of_runs_is_the_tightest(window: Bools, margins: tuple[int, int, int, int]) -> None:
    whole = placed(window, margins)
    x0, y0, x1, y1 = box_of_runs(
        window_runs(window, origin_yx=margins[:2], height=whole.shape[0]), height=whole.shape[0]
    )
    rows, columns = np.flatnonzero(whole.any(1)), np.flatnonzero(whole.any(0))
    if not len(rows):
        assert (x0, y0, x1, y1) == (0, 0, 0, 0)
    else:
        assert (x0, y0, x1, y1) == (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
