"""Drawing masks and prompts: what is painted, where, in which colour, at which size."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco_mask

from mobilesamv2.render import draw_prompts, fit_within, label_colours, mask_layer, overlay, prompt_layer
from mobilesamv2.types import Masks, Picture, Prompts
from tests.tiny import picture, tiny_segmenter


def picture_of(height: int, width: int, value: int = 100) -> Picture:
    return np.full((height, width, 3), value, dtype=np.uint8)


def masks_of(*dense: npt.NDArray[np.bool_]) -> Masks:
    rles = tuple(coco_mask.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in dense)
    boxes = []
    for mask in dense:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] if mask.any() else [0, 0, 0, 0])
    unknown = np.full(len(dense), np.nan, dtype=np.float32)
    return Masks(
        size_hw=dense[0].shape,
        rles=rles,
        scores=np.linspace(1, 0, len(dense), dtype=np.float32),
        boxes_xyxy=np.asarray(boxes, dtype=np.float32),
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=np.arange(len(dense)),
    )


def rectangle(height: int, width: int, y: slice, x: slice) -> npt.NDArray[np.bool_]:
    mask = np.zeros((height, width), dtype=np.bool_)
    mask[y, x] = True
    return mask


def test_no_masks_leave_the_picture_as_it_is() -> None:
    picture = picture_of(8, 6)
    assert np.array_equal(overlay(picture, Masks.empty((8, 6))), picture)


def test_the_picture_given_is_not_written_on() -> None:
    picture = picture_of(8, 6)
    overlay(picture, masks_of(rectangle(8, 6, np.s_[2:5], np.s_[1:4])))
    draw_prompts(picture, Prompts(boxes_xyxy=np.array([[1, 1, 4, 4]], dtype=np.float32)))
    assert (picture == 100).all()


def test_an_overlay_can_be_drawn_on_the_picture_itself_or_elsewhere() -> None:
    picture, masks = picture_of(8, 6), masks_of(rectangle(8, 6, np.s_[2:5], np.s_[1:4]))
    expected, elsewhere = overlay(picture, masks), np.zeros_like(picture)
    assert overlay(picture, masks, out=elsewhere) is elsewhere
    assert overlay(picture, masks, out=picture) is picture
    assert (expected == elsewhere).all()
    assert (expected == picture).all()


@pytest.mark.parametrize("contours", [True, False])
def test_exactly_the_pixels_of_the_masks_are_painted(contours: bool) -> None:
    noise = np.random.default_rng(0).random((37, 53)) > 0.6
    block = rectangle(37, 53, np.s_[30:37], np.s_[40:53])
    drawn = overlay(picture_of(37, 53), masks_of(noise, block), contours=contours)
    assert np.array_equal((drawn != 100).any(2), noise | block)


def test_full_opacity_shows_the_colour_of_the_rank_and_zero_the_photo() -> None:
    masks = masks_of(rectangle(9, 9, np.s_[0:4], np.s_[0:9]), rectangle(9, 9, np.s_[5:9], np.s_[0:9]))
    drawn = overlay(picture_of(9, 9), masks, opacity=1, contours=False)
    assert np.array_equal(drawn[0, 0], label_colours(2)[0])
    assert np.array_equal(drawn[8, 8], label_colours(2)[1])
    assert (overlay(picture_of(9, 9), masks, opacity=0, contours=False) == 100).all()


def test_a_part_stays_visible_on_the_whole_whatever_their_ranks() -> None:
    whole, part = rectangle(20, 20, np.s_[:], np.s_[:]), rectangle(20, 20, np.s_[8:12], np.s_[8:12])
    for masks, rank in ((masks_of(whole, part), 1), (masks_of(part, whole), 0)):
        drawn = overlay(picture_of(20, 20), masks, opacity=1, contours=False)
        assert np.array_equal(drawn[10, 10], label_colours(2)[rank])


def test_contours_follow_edges_but_not_the_border_of_the_picture() -> None:
    masks = masks_of(rectangle(20, 20, np.s_[0:10], np.s_[:]))
    plain, lined = (overlay(picture_of(20, 20), masks, contours=contours) for contours in (False, True))
    assert np.flatnonzero((plain != lined).any(axis=(1, 2))).tolist() == [9]


def test_an_overlay_on_a_smaller_copy_is_the_overlay_sampled() -> None:
    rng = np.random.default_rng(1)
    coarse = rng.random((30, 40)) > 0.5
    masks = masks_of(np.kron(coarse, np.ones((10, 10), dtype=np.bool_)))  # (300, 400)
    drawn = overlay(picture_of(30, 40), masks, contours=False)
    assert np.array_equal((drawn != 100).any(2), coarse)


@pytest.mark.parametrize("size_hw", [(3, 1000), (1000, 3), (1, 1), (999, 667)])
def test_masks_fit_every_shape_that_fit_within_makes(size_hw: tuple[int, int]) -> None:
    masks = masks_of(np.ones(size_hw, dtype=np.bool_))
    small = fit_within(picture_of(*size_hw), 50)
    assert max(small.shape[:2]) <= 50
    assert (overlay(small, masks) != 100).any(2).all()


def test_a_picture_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="no copy"):
        overlay(picture_of(10, 30), Masks.empty((30, 10)))


def test_an_opacity_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match="0 to 1"):
        overlay(picture_of(4, 4), Masks.empty((4, 4)), opacity=1.5)


def test_an_empty_mask_and_one_that_falls_between_samples_draw_nothing() -> None:
    speck = rectangle(1000, 1000, np.s_[0:1], np.s_[0:1])
    masks = masks_of(np.zeros((1000, 1000), dtype=np.bool_), speck)
    assert (overlay(picture_of(10, 10), masks) == 100).all()


def test_long_runs_and_falling_counts_are_read_as_pycocotools_writes_them() -> None:
    dense = np.zeros((300, 400), dtype=np.bool_)
    for step, column in enumerate(range(0, 400, 7)):
        dense[: 299 - 5 * step, column] = True
    assert np.array_equal((overlay(picture_of(300, 400), masks_of(dense)) != 100).any(2), dense)


def test_fit_within_keeps_small_pictures_and_shrinks_large_ones() -> None:
    small = picture_of(20, 30)
    assert fit_within(small, 30) is small
    assert fit_within(picture_of(200, 300), 30).shape == (20, 30, 3)


def test_colours_belong_to_ranks() -> None:
    assert label_colours(0).shape == (0, 3)
    assert np.array_equal(label_colours(5), label_colours(320)[:5])


def test_the_first_colours_are_far_apart() -> None:
    colours = label_colours(12).astype(int)
    nearest = min(np.abs(one - other).sum() for one, other in itertools.combinations(colours, 2))
    assert nearest > 40


def test_boxes_are_drawn_light_and_dark_so_that_any_photo_shows_them() -> None:
    prompts = Prompts(boxes_xyxy=np.array([[5, 5, 25, 20]], dtype=np.float32))
    for value in (0, 128, 255):
        drawn = draw_prompts(picture_of(40, 40, value), prompts)
        assert np.abs(drawn.astype(int) - value).max() > 100
        assert (drawn[12, 15] == value).all()  # the inside stays open


def test_points_move_with_the_scale_and_padding_is_not_drawn() -> None:
    prompts = Prompts(
        points=np.array([[[200, 100], [0, 0]]], dtype=np.float32), labels=np.array([[1, -1]], dtype=np.int64)
    )
    drawn = draw_prompts(picture_of(40, 80), prompts, size_hw=(400, 800))
    rows, columns = np.nonzero((drawn == 255).all(2))
    assert (abs(rows.mean() - 9.6), abs(columns.mean() - 19.6)) < (1, 1)
    assert (drawn[0, 0] == 100).all()


def test_background_points_have_another_colour_than_foreground_points() -> None:
    points = np.array([[[10, 10]], [[30, 10]]], dtype=np.float32)
    drawn = draw_prompts(picture_of(20, 40), Prompts(points=points, labels=np.array([[1], [0]])))
    assert not np.array_equal(drawn[10, 10], drawn[10, 30])


def test_no_prompts_draw_nothing() -> None:
    prompts = Prompts(boxes_xyxy=np.zeros((0, 4), dtype=np.float32))
    assert (draw_prompts(picture_of(4, 4), prompts) == 100).all()


def test_masks_can_be_given_colours_of_their_own() -> None:
    masks = masks_of(rectangle(8, 6, np.s_[0:2], np.s_[:]), rectangle(8, 6, np.s_[4:6], np.s_[:]))
    colours = np.array([[10, 20, 30], [200, 0, 0]], dtype=np.uint8)
    drawn = overlay(picture_of(8, 6), masks, opacity=1, contours=False, colours=colours)
    assert (drawn[0:2] == colours[0]).all()
    assert (drawn[4:6] == colours[1]).all()


def test_colours_must_be_one_per_mask() -> None:
    with pytest.raises(ValueError, match="one per mask"):
        overlay(picture_of(8, 6), Masks.empty((8, 6)), colours=label_colours(1))


def test_a_layer_is_the_masks_alone_and_transparent_elsewhere() -> None:
    masks = tiny_segmenter().segment_everything(picture()).masks
    layer = mask_layer(masks, (40, 60), opacity=0.4)
    assert layer.shape == (40, 60, 4)
    covered = masks.dense().any(axis=0)
    assert ((layer[..., 3] > 0) == covered).all()
    assert set(np.unique(layer[..., 3])) <= {0, 102, 242}
    labels = masks.label_map()
    assert (layer[covered][:, :3] == label_colours(len(masks))[labels[covered] - 1]).all()


def test_a_layer_takes_other_colours_another_size_and_no_masks() -> None:
    masks = tiny_segmenter().segment_everything(picture()).masks.select([0])
    layer = mask_layer(masks, (20, 30), colours=np.array([[1, 2, 3]], dtype=np.uint8))
    assert layer.shape == (20, 30, 4)
    assert (layer[layer[..., 3] > 0][:, :3] == (1, 2, 3)).all()
    assert not mask_layer(masks.select([]), (20, 30)).any()


@pytest.mark.parametrize("size_hw", [(30, 40), (60, 80)])
def test_a_layer_of_prompts_lies_over_a_picture_as_drawn_prompts_do(size_hw: tuple[int, int]) -> None:
    prompts = Prompts(boxes_xyxy=np.array([[4, 5, 30, 20], [0, 0, 40, 30]], dtype=np.float32))
    layer = prompt_layer(prompts, (30, 40), size_hw=size_hw)
    assert layer.shape == (30, 40, 4)
    share = layer[..., 3:] / 255
    laid = np.rint((1 - share) * 100 + share * layer[..., :3])
    assert np.abs(laid - draw_prompts(picture_of(30, 40), prompts, size_hw=size_hw)).max() <= 1
    assert not prompt_layer(prompts[:0], (30, 40), size_hw=size_hw).any()
