"""Masks as pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.export import cutout_image, label_map_png, mask_image, png_bytes
from mobilesamv2.types import Masks, Picture
from tests.tiny import picture, tiny_segmenter

from .examples import boxes_as_masks


@pytest.fixture(scope="module")
def masks() -> Masks:
    return tiny_segmenter().segment_everything(picture()).masks


def read(image: Image.Image) -> Image.Image:
    """As another program gets it."""
    return Image.open(io.BytesIO(png_bytes(image)))


def test_a_mask_picture_has_one_bit_for_each_pixel_and_is_the_mask(masks: Masks) -> None:
    assert len(masks) > 0
    for index in range(len(masks)):
        image = read(mask_image(masks, index))
        assert (image.mode, image.size) == ("1", (60, 40))
        assert (np.asarray(image) == masks.dense_one(index)).all()


@pytest.mark.parametrize("box", [(0, 0, 61, 37), (3, 5, 4, 6), (58, 30, 61, 37), (7, 0, 24, 37)])
def test_mask_pictures_do_not_need_sides_that_are_whole_bytes(box: tuple[int, int, int, int]) -> None:
    masks = boxes_as_masks([box], (37, 61))
    assert (np.asarray(read(mask_image(masks, 0))) == masks.dense_one(0)).all()


def test_a_cut_out_is_the_picture_within_the_mask_and_nothing_elsewhere(masks: Masks) -> None:
    photo = picture()
    for index in range(len(masks)):
        x0, y0, x1, y1 = masks.boxes_xyxy[index].astype(int)
        cut = np.asarray(read(cutout_image(photo, masks, index)))
        window = masks.window(index)
        assert cut.shape == (y1 - y0, x1 - x0, 4)
        assert (cut[window][:, :3] == photo[y0:y1, x0:x1][window]).all()
        assert (cut[window][:, 3] == 255).all()
        assert (cut[~window] == 0).all()


def test_a_mask_without_a_pixel_has_pictures_too() -> None:
    masks = boxes_as_masks([(0, 0, 0, 0)], (40, 60))
    assert not np.asarray(mask_image(masks, 0)).any()
    cut = read(cutout_image(picture(), masks, 0))
    assert (cut.size, cut.getpixel((0, 0))) == ((1, 1), (0, 0, 0, 0))


def test_a_cut_out_of_another_picture_is_refused(masks: Masks) -> None:
    with pytest.raises(ValueError, match=r"\(40, 60\)"):
        cutout_image(picture(50, 60), masks, 0)


@pytest.mark.parametrize(("count", "mode"), [(0, "L"), (255, "L"), (256, "I;16"), (600, "I;16")])
def test_label_maps_have_16_bits_where_8_are_too_few(count: int, mode: str) -> None:
    masks = boxes_as_masks([(i % 30, i // 30, i % 30 + 1, i // 30 + 1) for i in range(count)], (30, 30))
    image = Image.open(io.BytesIO(label_map_png(masks)))
    assert image.mode == mode
    assert np.asarray(image).max() == count
    assert len(np.unique(np.asarray(image))) == count + 1
    assert (np.asarray(image) == masks.label_map()).all()


def test_more_masks_than_16_bits_can_number_are_refused() -> None:
    few = boxes_as_masks([(0, 0, 1, 1)] * 100, (2, 2))
    with pytest.raises(ValueError, match="65,535"):
        label_map_png(Masks.concatenate([few] * 656))


def test_a_picture_of_one_pixel_works() -> None:
    photo: Picture = np.full((1, 1, 3), 7, dtype=np.uint8)
    masks = boxes_as_masks([(0, 0, 1, 1)], (1, 1))
    assert np.asarray(mask_image(masks, 0)).tolist() == [[True]]
    assert cutout_image(photo, masks, 0).getpixel((0, 0)) == (7, 7, 7, 255)
