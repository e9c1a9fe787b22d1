"""Run lengths made and read inside a window must be those of the whole picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.ops.rle import box_of_runs, column_runs, decode_rle, encode_window, runs_between

PARITY = Path(__file__).parents[1] / "parity"
Mask = npt.NDArray[np.bool_]


def random_masks() -> Iterator[Mask]:
    """Masks of all densities, fine and coarse; thin pictures and single pixels among them."""
    generator = np.random.default_rng(0)
    for trial in range(150):
        height, width = generator.integers(1, 40, 2)
        mask = generator.random((height, width)) < generator.choice([0, 0.02, 0.1, 0.5, 0.9, 1])
        yield np.kron(mask, np.ones((7, 40), dtype=np.bool_)) if trial % 3 == 0 else mask


def by_pycocotools(mask: Mask) -> bytes:
    counts: bytes = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    return counts


def test_the_text_of_a_whole_mask_is_that_of_pycocotools() -> None:
    for mask in random_masks():
        rle = encode_window(mask, origin_yx=(0, 0), size_hw=mask.shape)
        assert rle == {"size": list(mask.shape), "counts": by_pycocotools(mask)}


def test_the_text_of_a_window_is_that_of_the_whole_picture() -> None:
    generator = np.random.default_rng(1)
    for mask in random_masks():
        y0, y1 = np.sort(generator.integers(0, mask.shape[0] + 1, 2)).tolist()
        x0, x1 = np.sort(generator.integers(0, mask.shape[1] + 1, 2)).tolist()
        canvas = np.zeros_like(mask)
        canvas[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
        rle = encode_window(mask[y0:y1, x0:x1], origin_yx=(y0, x0), size_hw=mask.shape)
        assert rle["counts"] == by_pycocotools(canvas)


def test_a_decoded_window_is_that_part_of_the_mask() -> None:
    generator = np.random.default_rng(2)
    for mask in random_masks():
        y0, y1 = np.sort(generator.integers(0, mask.shape[0] + 1, 2)).tolist()
        x0, x1 = np.sort(generator.integers(0, mask.shape[1] + 1, 2)).tolist()
        rle = {"size": list(mask.shape), "counts": by_pycocotools(mask)}
        window = decode_rle(rle, (x0, y0, x1, y1))
        assert window.dtype == np.bool_
        np.testing.assert_array_equal(window, mask[y0:y1, x0:x1])
        np.testing.assert_array_equal(decode_rle(rle), mask)


def test_the_box_of_runs_is_the_tightest() -> None:
    for mask in random_masks():
        padded = np.pad(mask.T, ((0, 0), (0, 1)))
        box = box_of_runs(column_runs(padded, origin_yx=(0, 0), height=len(mask)), height=len(mask))
        ys, xs = np.nonzero(mask)
        expected = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(ys) else (0, 0, 0, 0)
        assert box == expected


def test_run_lengths_and_areas_are_as_recorded() -> None:
    recorded = json.loads((PARITY / "mask_utilities.json").read_text())
    arrays = np.load(PARITY / "mask_utilities.npz")
    rles = [encode_window(mask, origin_yx=(0, 0), size_hw=mask.shape) for mask in arrays["logits"] > 0]
    assert [rle["counts"].decode() for rle in rles] == [rle["counts"] for rle in recorded["coco_rle"]]
    assert coco_mask.area(rles).tolist() == recorded["area"]
    for mask, rle in zip(arrays["tiny_masks"], recorded["tiny_rle"], strict=True):
        expected = coco_mask.frPyObjects(rle, *rle["size"])["counts"]
        assert encode_window(mask, origin_yx=(0, 0), size_hw=mask.shape)["counts"] == expected


@pytest.mark.parametrize("window", [np.zeros((0, 3)), np.zeros((3, 0)), np.zeros((2, 2))])
def test_an_empty_window_is_an_empty_mask(window: npt.NDArray[np.float64]) -> None:
    rle = encode_window(window.astype(np.bool_), origin_yx=(1, 1), size_hw=(5, 6))
    assert rle["counts"] == by_pycocotools(np.zeros((5, 6), dtype=np.bool_))


def test_pictures_wider_than_16_bits_can_count_are_right() -> None:
    size_hw = (3, 70_000)
    rle = encode_window(np.ones((3, 40_000), dtype=np.bool_), origin_yx=(0, 29_000), size_hw=size_hw)
    assert coco_mask.area(rle) == 120_000
    assert coco_mask.toBbox(rle).tolist() == [29_000, 0, 40_000, 3]
    assert decode_rle(rle, (28_999, 1, 29_001, 2)).tolist() == [[False, True]]


def test_a_window_outside_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        encode_window(np.ones((2, 2), dtype=np.bool_), origin_yx=(4, 0), size_hw=(5, 5))


@pytest.mark.parametrize(
    ("turns", "runs"),
    [
        ([], []),
        ([3, 5], [[3, 5]]),
        ([3, 5, 5, 8], [[3, 8]]),  # goes on in the next column
        ([0, 4, 4, 8, 8, 12], [[0, 12]]),
        ([0, 4, 6, 8, 8, 9], [[0, 4], [6, 9]]),
    ],
)
def test_runs_that_touch_are_one(turns: list[int], runs: list[list[int]]) -> None:
    assert runs_between(np.array(turns, dtype=np.int64)).tolist() == runs
