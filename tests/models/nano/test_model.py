from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mobilesamv2.models.nano.mask_head import MaskHeadConfig
from mobilesamv2.models.nano.model import OUTSIDE, NanoConfig, NanoModel
from mobilesamv2.prompts import GridSampler, MaskFilters
from mobilesamv2.segmenter import Segmenter
from tests.models.nano.test_encoder import CONFIG as ENCODER
from tests.tiny import Boxes, picture

CONFIG = NanoConfig(encoder=ENCODER, mask_head=MaskHeadConfig(widths=(8, 8, 8), iou_width=8), input_side=64)
BOXES = torch.tensor([[4.0, 4.0, 30.0, 30.0], [10.0, 20.0, 60.0, 50.0], [50.0, 50.0, 50.0, 50.0]])
POINTS = torch.tensor([[[9.0, 9.0], [5.0, 5.0]], [[40.0, 50.0], [0.0, 0.0]], [[63.0, 0.0], [1.0, 60.0]]])
LABELS = torch.tensor([[1, 0], [1, -1], [0, 0]])
FORMS: dict[str, dict[str, Any]] = {
    "boxes": {"boxes_xyxy": BOXES},
    "points": {"points": POINTS, "labels": LABELS},
    "one point": {"points": POINTS[:, :1], "labels": LABELS[:, :1]},
    "both": {"boxes_xyxy": BOXES, "points": POINTS, "labels": LABELS},
}
MASKS = torch.randn(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


def tiny_nano(config: NanoConfig = CONFIG) -> NanoModel:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return NanoModel.from_config(config).eval()


@pytest.fixture(scope="module")
def model() -> NanoModel:
    return tiny_nano()


@pytest.fixture(scope="module")
def features(model: NanoModel) -> Tensor:
    with torch.inference_mode():
        return model.encode(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("multimask", [False, True])
def test_prompts_are_answered_alike_one_by_one_and_together(
    model: NanoModel, features: Tensor, form: str, masked: bool, multimask: bool
) -> None:
    prompts = FORMS[form] | ({"masks": MASKS} if masked else {})
    with torch.inference_mode():
        logits, iou = model.decode(features, multimask=multimask, **prompts)
        assert logits.shape == (3, 3 if multimask else 1, 32, 32)
        assert iou.shape == logits.shape[:2]
        assert logits.dtype == iou.dtype == torch.float32
        assert logits.isfinite().all()
        for row in range(3):
            one = {name: value[row : row + 1] for name, value in prompts.items()}
            alone, alone_iou = model.decode(features, multimask=multimask, **one)
            torch.testing.assert_close(alone[0], logits[row], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(alone_iou[0], iou[row], atol=1e-5, rtol=1e-4)
        none = {name: value[:0] for name, value in prompts.items()}
        logits, iou = model.decode(features, multimask=multimask, **none)
        assert logits.shape == (0, 3 if multimask else 1, 32, 32)
        assert iou.shape == logits.shape[:2]


def test_many_prompts_are_answered_as_few_are(model: NanoModel, features: Tensor) -> None:
    boxes = BOXES.repeat(20, 1)  # several pieces
    with torch.inference_mode():
        logits, iou = model.decode(features, boxes_xyxy=boxes, multimask=False)
        few, few_iou = model.decode(features, boxes_xyxy=BOXES, multimask=False)
    torch.testing.assert_close(logits, few.repeat(20, 1, 1, 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(iou, few_iou.repeat(20, 1), atol=1e-5, rtol=1e-4)


def test_what_prompts_share_can_be_made_once(model: NanoModel, features: Tensor) -> None:
    with torch.inference_mode():
        shared = model.share(features)
        for form, multimask in itertools.product(FORMS.values(), (False, True)):
            made, _ = model.decode(features, multimask=multimask, **form)
            given, _ = model.decode(features, shared=shared, multimask=multimask, **form)
            assert torch.equal(made, given)


def test_the_single_mask_of_points_is_the_one_with_the_best_predicted_iou(model: NanoModel, features: Tensor) -> None:
    with torch.inference_mode():
        three, ious = model.decode(features, multimask=True, **FORMS["points"])
        one, iou = model.decode(features, multimask=False, **FORMS["points"])
    best = ious.argmax(1)
    torch.testing.assert_close(iou[:, 0], ious[range(3), best])
    torch.testing.assert_close(one[:, 0], three[range(3), best])


def test_the_three_masks_of_a_box_are_its_mask_and_one_within_and_one_around_it(
    model: NanoModel, features: Tensor
) -> None:
    with torch.inference_mode():
        one, iou = model.decode(features, multimask=False, **FORMS["boxes"])
        three, ious = model.decode(features, multimask=True, **FORMS["boxes"])
    assert torch.equal(three[:, 0], one[:, 0])
    assert (three[:, 1] <= three[:, 0]).all()
    assert (three[:, 2] >= three[:, 0]).all()
    assert ious.argmax(1).tolist() == [0, 0, 0]
    assert torch.equal(ious[:, 0], iou[:, 0])


def test_masks_end_where_their_window_ends(model: NanoModel, features: Tensor) -> None:
    with torch.inference_mode():
        logits, _ = model.decode(features, boxes_xyxy=torch.tensor([[8.0, 8.0, 24.0, 24.0]]), multimask=False)
    assert (logits[0, 0, 16:] == OUTSIDE).all()
    assert (logits[0, 0, :, 16:] == OUTSIDE).all()
    assert (logits[0, 0, 2:14, 2:14] != OUTSIDE).all()


@pytest.mark.parametrize("form", FORMS)
def test_an_earlier_mask_changes_the_answer(model: NanoModel, features: Tensor, form: str) -> None:
    with torch.inference_mode():
        without, _ = model.decode(features, multimask=False, **FORMS[form])
        masked, _ = model.decode(features, masks=MASKS, multimask=False, **FORMS[form])
        other, _ = model.decode(features, masks=-MASKS, multimask=False, **FORMS[form])
    assert not torch.allclose(without, masked, atol=1e-3)
    assert not torch.allclose(other, masked, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", FORMS)
def test_half_precision_is_close(model: NanoModel, features: Tensor, form: str, dtype: torch.dtype) -> None:
    half = tiny_nano().cast(dtype)
    with torch.inference_mode():
        pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        encoded = half.encode(pixels)
        assert encoded.dtype == dtype
        logits, iou = half.decode(encoded, masks=MASKS, multimask=True, **FORMS[form])
        expected, expected_iou = model.decode(features, masks=MASKS, multimask=True, **FORMS[form])
    assert logits.dtype == iou.dtype == torch.float32
    torch.testing.assert_close(logits, expected, atol=0.1, rtol=0.1)
    torch.testing.assert_close(iou, expected_iou, atol=0.05, rtol=0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_tensor_is_left_on_another_device(form: str, dtype: torch.dtype) -> None:
    """The meta device refuses most mixing of devices."""
    with torch.device("meta"):
        model = NanoModel.from_config(CONFIG).eval().cast(dtype)
    prompts = {name: value.to("meta") for name, value in FORMS[form].items()}
    with torch.inference_mode():
        encoded = model.encode(torch.zeros(1, 3, 64, 64, device="meta"))
        logits, iou = model.decode(encoded, masks=MASKS.to("meta"), multimask=True, **prompts)
    assert logits.device.type == iou.device.type == "meta"
    assert logits.shape == (3, 3, 32, 32)


def test_a_model_remembers_nothing_of_a_picture(model: NanoModel, features: Tensor) -> None:
    """Another picture in between changes nothing."""
    with torch.inference_mode():
        before, _ = model.decode(features, multimask=False, **FORMS["boxes"])
        model.decode(model.encode(torch.randn(1, 3, 64, 64)), multimask=True, **FORMS["points"])
        after, _ = model.decode(features, multimask=False, **FORMS["boxes"])
    assert torch.equal(before, after)


@pytest.fixture(scope="module")
def segmenter(model: NanoModel) -> Segmenter:
    detector = Boxes([[2, 3, 40, 30], [10, 10, 50, 38], [0, 0, 60, 40]])
    return Segmenter(model, name="nano", detector=detector, grid_filters=MaskFilters(box_nms=0.9))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (40, 60), (64, 64)])
def test_the_segmenter_runs_it_on_pictures_of_any_shape(segmenter: Segmenter, size: tuple[int, int]) -> None:
    for sampler in ("object-aware", GridSampler(points_per_side=2, filters=MaskFilters())):
        result = segmenter.segment_everything(picture(*size), sampler=sampler)
        assert result.masks.size_hw == size
        assert result.masks.dense().shape == (len(result.masks), *size)


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_chunks_change_nothing(model: NanoModel, segmenter: Segmenter, chunk_size: int) -> None:
    chunked = Segmenter(model, name="nano", detector=segmenter.detector, chunk_size=chunk_size)
    sampler = GridSampler(points_per_side=3, filters=MaskFilters())
    whole = segmenter.segment_everything(picture(), sampler=sampler).masks
    parts = chunked.segment_everything(picture(), sampler=sampler).masks
    assert len(whole) == len(parts)
    assert (whole.dense() == parts.dense()).mean() > 0.9999
    np.testing.assert_allclose(whole.scores, parts.scores, atol=1e-5)


def test_the_embedded_model_is_small() -> None:
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in NanoModel(NanoConfig()).parameters())
    assert parameters * 2 < 11e6  # bytes in float16


def test_the_input_side_is_a_multiple_of_64() -> None:
    with pytest.raises(ValueError, match="64"):
        dataclasses.replace(CONFIG, input_side=96)
