"""Arrays, tensors, and what the model is given."""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.images import load_image, resize_longest_side
from mobilesamv2.models.preprocess import PIXEL_MEAN, PIXEL_STD, to_input
from mobilesamv2.types import Picture
from tests.tiny import picture, tiny_segmenter

from .test_files import refusal

PARITY = Path(__file__).resolve().parents[1] / "parity"
PHOTO = PARITY / "images" / "smooth_375x500.png"


def test_half_transparent_black_is_grey_and_an_array_is_treated_alike() -> None:
    array = np.array([[[0, 0, 0, 128]]], dtype=np.uint8)
    assert load_image(array).tolist() == [[[127] * 3]]
    assert load_image(Image.fromarray(array)).tolist() == [[[127] * 3]]


@pytest.mark.parametrize("size_hw", [(1, 1), (300, 1), (1, 5000)])
def test_a_picture_one_pixel_wide_is_read_and_prepared(size_hw: tuple[int, int]) -> None:
    picture = load_image(np.full((*size_hw, 3), 200, dtype=np.uint8))
    frame = ResizeLongestSide(size_hw, 64)
    assert resize_longest_side(picture, frame).shape == (*frame.resized_hw, 3)
    assert to_input(picture, frame).shape == (1, 3, 64, 64)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_arrays_are_read(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 255, dtype=np.uint8)
    array.setflags(write=False)
    picture = load_image(array)
    assert picture.shape == (4, 5, 3)
    assert (picture == 255).all()


def test_a_picture_that_is_ready_is_not_copied_and_any_other_array_is_made_contiguous() -> None:
    ready = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    assert load_image(load_image(ready)) is ready
    turned = load_image(ready[:, ::-1])
    assert turned.flags["C_CONTIGUOUS"]
    assert (turned == ready[:, ::-1]).all()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((4, 4, 3), 7.0), "within 0 to 1; got 7 to 7"),
        (np.full((4, 4), -0.1, dtype=np.float32), "within 0 to 1"),
        (np.full((4, 4), np.nan), "within 0 to 1"),
        (np.zeros((4, 4), dtype=np.bool_), "bool"),
        (np.zeros((4, 4, 3), dtype=np.int64), "int64"),
        (np.zeros((3, 4, 4, 3), dtype=np.uint8), "(3, 4, 4, 3)"),
        (np.zeros((3, 4, 5), dtype=np.uint8), "(H, W, 3)"),
        (np.zeros(7, dtype=np.uint8), "(7,)"),
        (np.zeros((0, 4, 3), dtype=np.uint8), "no pixels"),
        (np.zeros((4, 0), dtype=np.uint8), "no pixels"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "megapixels"),
    ],
)
def test_arrays_of_the_wrong_kind_are_refused(array: np.ndarray, expected: str) -> None:
    assert expected in refusal(array)


@pytest.mark.parametrize("image", [None, 3, [[0, 0], [0, 0]]])
def test_other_kinds_of_things_are_refused(image: object) -> None:
    assert type(image).__name__ in refusal(image)


# Tensors


def as_numbers(picture: Picture, dtype: torch.dtype) -> torch.Tensor:
    """A tensor (H, W, 3), uint8 or 0 to 1."""
    tensor = torch.from_numpy(picture)
    return tensor if dtype == torch.uint8 else (tensor / 255).to(dtype)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("layout", ["colours first", "colours last"])
def test_a_tensor_is_the_picture_whatever_its_layout_and_numbers(
    colours: Picture, dtype: torch.dtype, layout: str
) -> None:
    tensor = as_numbers(colours, dtype)
    given = tensor.permute(2, 0, 1) if layout == "colours first" else tensor
    found = load_image(given)
    np.testing.assert_array_equal(found, colours)
    assert found.flags["C_CONTIGUOUS"]


def test_floats_of_an_array_and_of_a_tensor_mean_the_same(colours: Picture) -> None:
    floats = colours / np.float64(255)
    np.testing.assert_array_equal(load_image(floats), colours)
    np.testing.assert_array_equal(load_image(torch.from_numpy(floats)), colours)
    np.testing.assert_array_equal(load_image(torch.from_numpy(floats).requires_grad_()), colours)
    nearly = load_image(as_numbers(colours, torch.bfloat16))  # 8 bits of which one is the sign of nothing
    assert np.abs(nearly.astype(int) - colours).max() <= 1


def test_dim_numbers_stay_dim() -> None:
    assert load_image(torch.full((3, 4, 5), 0.1)).max() == 26
    assert load_image(np.full((4, 5), 0.1)).max() == 26


@pytest.mark.parametrize("colours_at", [0, 2])
@pytest.mark.parametrize("count", [1, 3, 4])
def test_grey_and_transparent_tensors_are_read(count: int, colours_at: int) -> None:
    shape = [5, 6]
    shape.insert(colours_at, count)
    assert load_image(torch.full(shape, 255, dtype=torch.uint8)).shape == (5, 6, 3)
    assert load_image(torch.full((5, 6), 255, dtype=torch.uint8)).shape == (5, 6, 3)


def test_of_a_tensor_that_could_be_both_the_first_axis_is_the_colours() -> None:
    tensor = torch.arange(3 * 7 * 3, dtype=torch.uint8).reshape(3, 7, 3)
    np.testing.assert_array_equal(load_image(tensor), tensor.permute(1, 2, 0).numpy())


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (torch.zeros(1, 3, 4, 5), "tensor[0]"),
        (torch.zeros(5, 4, 6), "(3, H, W) or (H, W, 3)"),
        (torch.zeros(7), "(7,)"),
        (torch.zeros(3, 0, 5), "no pixels"),
        (torch.full((3, 4, 5), 200.0), "within 0 to 1; got 200 to 200"),
        (torch.full((3, 4, 5), torch.nan), "within 0 to 1"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), "int64"),
        (torch.zeros(3, 4, 5).to_sparse(), "plain numbers"),
    ],
)
def test_tensors_that_hold_no_picture_are_refused(tensor: torch.Tensor, expected: str) -> None:
    assert expected in refusal(tensor)


def test_every_form_of_a_picture_gives_the_same_masks(colours: Picture) -> None:
    segmenter, given = tiny_segmenter(), picture()
    file = io.BytesIO()
    Image.fromarray(given).save(file, "png")
    expected = segmenter.segment_everything(given, sampler="grid", points_per_side=3).masks
    assert len(expected) > 0
    tensor = torch.from_numpy(given)
    forms = (file.getvalue(), file, tensor, tensor.permute(2, 0, 1), tensor / 255, Image.fromarray(given))
    for form in forms:
        file.seek(0)
        found = segmenter.segment_everything(form, sampler="grid", points_per_side=3).masks
        assert found.rles == expected.rles
        file.seek(0)
        torch.testing.assert_close(segmenter.encode(form).features, segmenter.encode(given).features)


# What the model is given


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    with np.load(PARITY / "preprocess.npz") as file:
        return dict(file)


def test_the_resized_picture_is_bit_for_bit_as_recorded(recorded: dict[str, np.ndarray]) -> None:
    picture = load_image(PHOTO)
    assert zlib.crc32(picture.tobytes()) == recorded["375x500/image_crc32"]
    resized = resize_longest_side(picture, ResizeLongestSide((375, 500), 1024))
    assert resized.shape[:2] == tuple(recorded["375x500/resized_shape"])
    assert zlib.crc32(resized.tobytes()) == recorded["375x500/resized_crc32"]


def test_the_model_input_is_as_recorded(recorded: dict[str, np.ndarray]) -> None:
    found = to_input(load_image(PHOTO), ResizeLongestSide((375, 500), 1024))
    assert found.shape == (1, 3, 1024, 1024)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found[0, :, ::32, ::32], recorded["375x500/input_s32"], atol=1e-6)
    stats = [found.double().mean(), found.double().std(correction=0), found.abs().max()]
    np.testing.assert_allclose(stats, recorded["375x500/input_stats"], rtol=1e-6)


def test_padding_is_zero_after_normalising(colours: Picture) -> None:
    found = to_input(colours, ResizeLongestSide((8, 12), 24))
    assert (found[:, :, 16:] == 0).all()
    first = (colours[0, 0] - np.array(PIXEL_MEAN)) / np.array(PIXEL_STD)
    np.testing.assert_allclose(found[0, :, 0, 0], first, rtol=1e-6)


def test_the_model_input_can_be_of_half_precision(colours: Picture) -> None:
    frame = ResizeLongestSide((8, 12), 24)
    found = to_input(colours, frame, dtype=torch.bfloat16)
    assert found.dtype == torch.bfloat16
    np.testing.assert_allclose(found.float(), to_input(colours, frame), atol=0.01, rtol=0.01)


def test_a_frame_of_another_picture_is_refused(colours: Picture) -> None:
    with pytest.raises(ValueError, match="frame is for"):
        to_input(colours, ResizeLongestSide((12, 8), 24))
