"""Compact masks against the plain way: interpolate the whole mask twice, then threshold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.ops.boxes import inclusive_boxes
from mobilesamv2.ops.masks import CompactMasks, compact_masks
from mobilesamv2.ops.rle import decode_rle

PARITY = Path(__file__).parents[1] / "parity"


def plainly_enlarged(logits: Tensor, frame: ResizeLongestSide) -> Tensor:
    """The whole of every mask at original size, (N, H, W), as SAM computes it."""
    square = (frame.input_side, frame.input_side)
    height, width = frame.resized_hw
    enlarged = F.interpolate(logits[:, None], square, mode="bilinear", align_corners=False)
    return F.interpolate(enlarged[..., :height, :width], frame.size_hw, mode="bilinear", align_corners=False).squeeze(1)


def smooth_logits(count: int, low_hw: tuple[int, int], *, seed: int = 0, shift: float = 0.0) -> Tensor:
    """Blobs of both signs with some noise on them."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(count, 1, 6, 6, generator=generator) * 4
    smooth = F.interpolate(coarse, low_hw, mode="bicubic", align_corners=False).squeeze(1)
    return smooth + torch.randn(count, *low_hw, generator=generator) * 0.3 + shift


def dense(masks: CompactMasks) -> npt.NDArray[np.bool_]:
    return np.stack([decode_rle(rle) for rle in masks.rles])


@pytest.mark.parametrize(
    ("size_hw", "input_side", "low_hw"),
    [
        ((375, 500), 1024, (256, 256)),
        ((600, 450), 512, (128, 128)),
        ((50, 61), 512, (64, 96)),  # shrinks in the second step, and is not square at low resolution
        ((1, 900), 64, (16, 16)),
        ((900, 2), 256, (64, 64)),
        ((7, 5), 256, (64, 64)),  # far fewer pixels than logits
        ((1, 1), 8, (4, 4)),
        ((64, 64), 64, (64, 64)),  # nothing to enlarge
        ((40, 40), 16, (64, 64)),  # the first step shrinks
    ],
)
@pytest.mark.parametrize("shift", [0.0, -6.0, 6.0])
def test_masks_areas_stability_and_boxes_are_those_of_the_plain_way(
    size_hw: tuple[int, int], input_side: int, low_hw: tuple[int, int], shift: float
) -> None:
    frame = ResizeLongestSide(size_hw, input_side)
    logits = smooth_logits(4, low_hw, shift=shift)
    whole = plainly_enlarged(logits, frame)
    found = compact_masks(logits, frame, stability_offset=1.0)

    masks = dense(found)
    # A logit within rounding of 0 may fall on either side.
    differs = masks != (whole > 0).numpy()
    assert (np.abs(whole.numpy()[differs]) < 1e-4).all()
    np.testing.assert_array_equal(found.areas, masks.sum(axis=(1, 2)))
    stability = ((whole > 1).sum((1, 2)) / (whole > -1).sum((1, 2))).numpy()
    np.testing.assert_allclose(found.stability, stability, atol=1e-4)
    for mask, box in zip(masks, found.boxes_xyxy, strict=True):
        ys, xs = np.nonzero(mask)
        expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(ys) else [0, 0, 0, 0]
        assert box.tolist() == expected


def blobs(count: int, side: int) -> Tensor:
    """Discs of all sizes with wavy edges, as logits that fall by 2.5 a pixel; some reach over the border."""
    generator = torch.Generator().manual_seed(1)
    x, y, radius, phase = torch.rand(4, count, 1, 1, generator=generator)
    down, right = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    down, right = down - y * side, right - x * side
    wave = 1 + 0.2 * torch.sin(5 * torch.atan2(down, right) + 6 * phase)
    return torch.clip(2.5 * (side / 2 * radius**3 * wave - torch.hypot(down, right)), -12, 9)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_objects_on_a_large_photo_are_those_of_the_plain_way(shift: float) -> None:
    # As much enlarged as from 256 x 256 to 12 megapixels. Most strips are wholly inside or outside.
    frame, logits = ResizeLongestSide((1000, 1333), 342), blobs(6, 86) + shift
    whole = plainly_enlarged(logits, frame).numpy()
    found = compact_masks(logits, frame)
    differs = dense(found) != (whole > 0)
    assert (np.abs(whole[differs]) < 1e-4).all()
    assert differs.mean() < 1e-5
    areas = [(whole > level).sum((1, 2)) for level in (1.0, 0.0, -1.0)]
    np.testing.assert_allclose(found.areas, areas[1], atol=3)
    np.testing.assert_allclose(found.stability, areas[0] / areas[2], atol=1e-4)


def test_specks_far_apart_are_all_found() -> None:
    # The window of such a mask is the whole picture, most of which is never computed.
    frame = ResizeLongestSide((300, 400), 256)
    logits = torch.full((1, 64, 64), -20.0)
    for y, x in ((0, 0), (0, 63), (20, 31), (47, 0), (47, 63)):
        logits[0, y, x] = 20.0
    found = compact_masks(logits, frame)
    expected = (plainly_enlarged(logits, frame) > 0).numpy()
    np.testing.assert_array_equal(dense(found), expected)
    assert coco_mask.area(list(found.rles))[0] == expected.sum() > 0


def test_pieces_do_not_change_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = ResizeLongestSide((120, 90), 256)
    logits = smooth_logits(3, (64, 64))
    in_one_piece = compact_masks(logits, frame)
    monkeypatch.setattr("mobilesamv2.ops.masks._PIXELS_AT_ONCE", 300)
    in_pieces = compact_masks(logits, frame)
    assert in_pieces.rles == in_one_piece.rles
    np.testing.assert_array_equal(in_pieces.stability, in_one_piece.stability)


def test_masks_of_a_batch_are_those_made_one_by_one() -> None:
    frame = ResizeLongestSide((60, 80), 256)
    logits = smooth_logits(4, (64, 64))
    together = compact_masks(logits, frame)
    alone = [compact_masks(one[None], frame) for one in logits]
    assert together.rles == tuple(masks.rles[0] for masks in alone)
    assert len(together) == 4


def test_no_logits_give_no_masks() -> None:
    found = compact_masks(torch.zeros(0, 16, 16), ResizeLongestSide((30, 40), 64))
    assert len(found) == 0
    assert found.boxes_xyxy.shape == (0, 4)
    assert found.areas.shape == found.stability.shape == (0,)


def test_a_mask_that_is_nowhere_or_everywhere_has_such_run_lengths() -> None:
    logits = torch.stack([torch.full((16, 16), value) for value in (-5.0, 5.0)])
    found = compact_masks(logits, ResizeLongestSide((30, 40), 64))
    assert found.areas.tolist() == [0, 1200]
    assert found.boxes_xyxy.tolist() == [[0, 0, 0, 0], [0, 0, 40, 30]]
    assert np.isnan(found.stability[0])
    assert found.stability[1] == 1


def test_half_precision_and_infinite_logits_do_no_harm_to_their_neighbours() -> None:
    frame = ResizeLongestSide((64, 64), 64)
    logits = torch.full((1, 16, 16), -5.0, dtype=torch.float16)
    logits[0, 4:8, 4:8] = 5.0
    reference = dense(compact_masks(logits, frame))
    logits[0, 0, 0], logits[0, 15, 15] = float("-inf"), float("nan")
    np.testing.assert_array_equal(dense(compact_masks(logits, frame)), reference)


def test_padding_never_enters_a_mask() -> None:
    # A wide picture covers the top half of the input; the rest of the logits says yes to everything.
    frame = ResizeLongestSide((50, 100), 64)
    logits = torch.full((1, 64, 64), 9.0)
    logits[0, :32] = -9.0
    assert compact_masks(logits, frame).areas.tolist() == [0]


@pytest.mark.parametrize(
    ("threshold", "offset", "name"), [(0.0, 1.0, "stability_off1"), (0.3, 0.5, "stability_off0.5_thr0.3")]
)
def test_stability_boxes_and_run_lengths_are_as_recorded(threshold: float, offset: float, name: str) -> None:
    recorded = np.load(PARITY / "mask_utilities.npz")
    logits = torch.full((6, 53, 53), -50.0)
    logits[:, :37] = torch.from_numpy(recorded["logits"])  # at a scale of 1, so that nothing is resampled
    found = compact_masks(logits, ResizeLongestSide((37, 53), 53), stability_offset=offset, threshold=threshold)
    np.testing.assert_array_equal(found.stability, recorded[name])
    if threshold == 0:
        np.testing.assert_array_equal(inclusive_boxes(found.boxes_xyxy), recorded["mask_boxes"])
        rles = json.loads((PARITY / "mask_utilities.json").read_text())["coco_rle"]
        assert [rle["counts"].decode() for rle in found.rles] == [rle["counts"] for rle in rles]


@pytest.mark.parametrize("size_hw", [(375, 500), (1000, 667), (3000, 200)])
def test_enlarged_logits_are_as_recorded(size_hw: tuple[int, int]) -> None:
    recorded = np.load(PARITY / "postprocess_masks.npz")
    coarse = (4 * np.random.default_rng(50).standard_normal((2, 1, 64, 64))).astype(np.float32)
    fine = np.random.default_rng(51).standard_normal((2, 1, 256, 256)).astype(np.float32)
    logits = torch.from_numpy(coarse.repeat(4, axis=2).repeat(4, axis=3) + fine)[:, 0]
    frame = ResizeLongestSide(size_hw, 1024)
    tag = f"{size_hw[0]}x{size_hw[1]}"
    assert frame.resized_hw == tuple(recorded[f"{tag}/input_size"])

    found = compact_masks(logits, frame)
    np.testing.assert_allclose(found.areas, recorded[f"{tag}/positive_pixels"][:, 0], atol=2)
    # The masks are compared at several levels, which holds the logits themselves without asking for them.
    values = recorded[f"{tag}/out_s"]
    for level in (-4.0, -1.5, 0.0, 2.5):
        masks = dense(compact_masks(logits, frame, threshold=level))[:, ::20, ::20]
        clear = np.abs(values - level) > 2e-3
        np.testing.assert_array_equal(masks[clear], (values > level)[clear])


@pytest.mark.parametrize(("shape", "offset"), [((16, 16), 1.0), ((1, 1, 16, 16), 1.0), ((1, 16, 16), -1.0)])
def test_wrong_shapes_and_offsets_are_refused(shape: tuple[int, ...], offset: float) -> None:
    with pytest.raises(ValueError, match="got"):
        compact_masks(torch.zeros(shape), ResizeLongestSide((8, 8), 64), stability_offset=offset)
