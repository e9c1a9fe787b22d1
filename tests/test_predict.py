"""`Segmenter.predict`: masks for the prompts that are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mobilesamv2.errors import PromptError
from mobilesamv2.promptable import Embedding
from mobilesamv2.segmenter import Segmenter
from tests.tiny import picture, tiny_segmenter


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


@pytest.fixture(scope="module")
def embedding(segmenter: Segmenter) -> Embedding:
    return segmenter.encode(picture())


def test_an_embedding_can_be_used_again_but_not_for_another_picture(segmenter: Segmenter, embedding: Embedding) -> None:
    again = segmenter.segment_everything(picture(), embedding=embedding)
    fresh = segmenter.segment_everything(picture())
    assert (again.masks.dense() == fresh.masks.dense()).all()
    with pytest.raises(PromptError, match="embedding is of a picture"):
        segmenter.segment_everything(picture(20, 20), embedding=embedding)


def test_predict_keeps_the_order_of_its_prompts(segmenter: Segmenter, embedding: Embedding) -> None:
    boxes = np.array([[0, 0, 20, 20], [10, 10, 50, 38], [2, 3, 40, 30]], np.float32)
    together = segmenter.predict(embedding, boxes=boxes)
    for row, box in enumerate(boxes):
        alone = segmenter.predict(embedding, boxes=box)
        assert (alone.dense_one(0) == together.dense_one(row)).mean() > 0.999
        assert alone.predicted_iou[0] == pytest.approx(together.predicted_iou[row], abs=1e-5)
    assert together.prompt_index.tolist() == [0, 1, 2]


def test_multimask_gives_three_masks_for_each_prompt(segmenter: Segmenter, embedding: Embedding) -> None:
    points = [[10, 10], [30, 20]]
    masks = segmenter.predict(embedding, points=points, labels=[[1], [1]], multimask=True)
    assert masks.prompt_index.tolist() == [0, 0, 0, 1, 1, 1]
    logits, iou = segmenter.decode_logits(embedding, points=points, multimask=True)
    assert logits.shape == (2, 3, 32, 32)
    np.testing.assert_allclose(iou.flatten().numpy(), masks.predicted_iou, atol=1e-6)


@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize(
    "prompts",
    [
        {"boxes": []},
        {"boxes": np.zeros((0, 4))},
        {"points": []},
        {"points": [], "labels": []},
        {"points": np.zeros((0, 2)), "labels": []},
        {"points": np.zeros((0, 3, 2)), "labels": np.zeros((0, 3))},
    ],
)
def test_no_prompts_give_no_masks(
    segmenter: Segmenter, embedding: Embedding, prompts: dict[str, Any], multimask: bool
) -> None:
    assert len(segmenter.predict(embedding, multimask=multimask, **prompts)) == 0
    logits, iou = segmenter.decode_logits(embedding, multimask=multimask, **prompts)
    assert logits.shape == (0, 3 if multimask else 1, 32, 32)
    assert iou.shape == (0, 3 if multimask else 1)


def test_points_and_boxes_go_together(segmenter: Segmenter, embedding: Embedding) -> None:
    logits, _ = segmenter.decode_logits(embedding, boxes=[[2, 3, 40, 30]], points=[[[9, 9], [30, 30]]], labels=[[1, 0]])
    only_box, _ = segmenter.decode_logits(embedding, boxes=[[2, 3, 40, 30]])
    assert logits.shape == only_box.shape
    assert not torch.allclose(logits, only_box)


def test_an_earlier_answer_can_be_refined(segmenter: Segmenter, embedding: Embedding) -> None:
    first, _ = segmenter.decode_logits(embedding, boxes=[2, 3, 40, 30])
    refined, _ = segmenter.decode_logits(embedding, boxes=[2, 3, 40, 30], mask_inputs=first[:, 0])
    assert not torch.allclose(first, refined)
    with pytest.raises(PromptError, match="one per prompt"):
        segmenter.decode_logits(embedding, boxes=[2, 3, 40, 30], mask_inputs=first[:0, 0])


@pytest.mark.parametrize(
    ("prompts", "sentence"),
    [
        ({}, "points, boxes or both"),
        ({"boxes": [[9, 9, 1, 1]]}, "other way round"),
        ({"boxes": [[1, 2, 3]]}, "Boxes must have the shape"),
        ({"boxes": [[1, 2, 3, float("nan")]]}, "finite"),
        ({"boxes": "everywhere"}, "must be numbers"),
        ({"points": [[1, 2]], "labels": [2]}, "1 for foreground"),
        ({"points": [[1, 2]], "labels": [0.5]}, "1 for foreground"),
        ({"points": [[1, 2]], "labels": ["front"]}, "labels must be numbers"),
        ({"points": [[[1, 2], [3, 4]]], "labels": [[1], [0, 1]]}, "labels must be numbers"),
        ({"points": [[1, 2]], "labels": [1, 1]}, "one per point"),
        ({"labels": [1]}, "give points too"),
        ({"points": [[1, 2]], "boxes": [[1, 2, 3, 4], [1, 2, 3, 4]]}, "equally many"),
        (
            {"points": [[1, 2], [3, 4]], "labels": [1, 0]},
            r"\(1, 2, 2\) with labels \(1, 2\) for one, \(2, 1, 2\)",
        ),
        (
            {"points": [[1, 2], [3, 4]], "labels": [1, 0], "boxes": [1, 2, 30, 30]},
            r"\(1, 2, 2\) with labels \(1, 2\) for one, \(2, 1, 2\)",
        ),
        ({"points": [[1, 2], [3, 4]], "labels": [[1, 0]]}, r"\(1, 2, 2\) with labels \(1, 2\) for one"),
        ({"points": [[1, 2], [3, 4]], "boxes": [[1, 2, 30, 30]]}, r"\(1, 2, 2\) with labels \(1, 2\) for one"),
        ({"points": np.array([[1, 2j]])}, "points must be numbers"),
        ({"points": torch.eye(2).to_sparse()}, "points must be numbers"),
        ({"points": np.zeros((1, 0, 2))}, "at least one"),
        ({"points": [[60, 5]]}, "The point 60, 5 lies outside the picture of 60 x 40 pixels"),
        ({"points": [[[5, 5], [-1, 5]]]}, "The point -1, 5 lies outside"),
        ({"boxes": [[2, 3, 40, 30], [60, 0, 70, 9]]}, "The box 60, 0, 70, 9 lies outside the picture"),
        ({"boxes": [-9, -9, -1, 9]}, "lies outside the picture"),
        (
            {"boxes": [2, 3, 40, 30], "mask_inputs": np.zeros((1, 16, 30))},
            r"\(1, 32, 32\), or masks of the picture \(1, 40, 60\)",
        ),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": np.zeros((2, 32, 32))}, "one per prompt: 1; got 2"),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": np.full((32, 32), np.nan)}, "mask_inputs must be finite"),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": torch.full((32, 32), torch.inf)}, "mask_inputs must be finite"),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": np.full((32, 32), 1j)}, "mask_inputs must be numbers"),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": torch.eye(32).to_sparse()}, "plain real numbers"),
        ({"boxes": [2, 3, 40, 30], "mask_inputs": [[0, 1], [1]]}, "mask_inputs must be numbers"),
    ],
)
def test_prompts_that_make_no_sense_are_refused_in_a_sentence(
    segmenter: Segmenter, embedding: Embedding, prompts: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(PromptError, match=sentence):
        segmenter.predict(embedding, **prompts)


def test_prompts_may_come_in_every_form_people_have_them_in(segmenter: Segmenter, embedding: Embedding) -> None:
    expected = segmenter.predict(embedding, boxes=[[2, 3, 40, 30]], points=[[[9, 9]]], labels=[[1]])
    box = torch.tensor([2.0, 3, 40, 30], requires_grad=True)
    for boxes in (
        box,
        box[None],
        box.detach().bfloat16(),
        box.detach().half(),
        [np.float64(e) for e in (2, 3, 40, 30)],
        [box],
        [box.detach().bfloat16()],
        list(box),
    ):
        for labels in ([True], np.array([[True]]), torch.tensor([1]), [[1.0]]):
            found = segmenter.predict(embedding, boxes=boxes, points=torch.tensor([[9, 9]]), labels=labels)
            assert found.rles == expected.rles
    one = segmenter.predict(embedding, points=[[[9, 9], [30, 20]]], labels=[[1, 0]])
    assert segmenter.predict(embedding, points=[[[9, 9], [30, 20]]], labels=[1, 0]).rles == one.rles
    one = segmenter.predict(embedding, points=[[[9, 9], [30, 20]]], labels=[[1, 0]])
    assert segmenter.predict(embedding, points=[[[9, 9], [30, 20]]], labels=[1, 0]).rles == one.rles
    alone = segmenter.predict(embedding, boxes=box)
    none = segmenter.predict(embedding, boxes=box, points=np.zeros((1, 0, 2)), labels=np.zeros((1, 0)))
    assert none.rles == alone.rles


def test_boxes_are_clipped_to_the_picture(segmenter: Segmenter, embedding: Embedding) -> None:
    inside = segmenter.predict(embedding, boxes=[0, 0, 60, 30])
    pushed_out = segmenter.predict(embedding, boxes=[-60, -30, 120, 30])
    assert inside.rles == pushed_out.rles


@pytest.mark.parametrize(
    "form", [np.asarray, torch.Tensor.bfloat16, lambda m: m[:, None], lambda m: m.clone().requires_grad_()]
)
def test_masks_to_refine_may_come_in_every_form(
    segmenter: Segmenter, embedding: Embedding, form: Callable[[Tensor], Any]
) -> None:
    box = [2, 3, 40, 30]
    low = segmenter.decode_logits(embedding, boxes=box)[0][:, 0].bfloat16().float()
    expected, _ = segmenter.decode_logits(embedding, boxes=box, mask_inputs=low)
    found, _ = segmenter.decode_logits(embedding, boxes=box, mask_inputs=form(low.clone()))
    assert torch.equal(found, expected)


def test_masks_to_refine_may_have_another_resolution_or_the_pictures_size(
    segmenter: Segmenter, embedding: Embedding
) -> None:
    box = [2, 3, 40, 30]
    plain, _ = segmenter.decode_logits(embedding, boxes=box)
    full = np.zeros((40, 60), dtype=bool)
    full[3:30, 2:40] = True
    square = np.full(
        (1, 96, 96), -10.0
    )  # the same over the model's square input of 64 pixels, where the picture is 43 x 64
    square[0, 5:48, 3:64] = 10.0
    by_full, _ = segmenter.decode_logits(embedding, boxes=box, mask_inputs=full)
    by_square, _ = segmenter.decode_logits(embedding, boxes=box, mask_inputs=square)
    far = (by_full - plain).abs().mean()
    assert (by_full - by_square).abs().mean() < 0.2 * far
    for same in (
        full.astype(np.uint8),
        full[None].astype(np.uint8) * 255,
        full.astype(np.float32),
        torch.from_numpy(full).bfloat16(),
        torch.from_numpy(full)[None].long(),
        full.tolist(),
        full.astype(int).tolist(),
        Image.fromarray(full),
    ):
        found, _ = segmenter.decode_logits(embedding, boxes=box, mask_inputs=same)  # type: ignore[arg-type]
        assert torch.equal(found, by_full)
    logits = np.where(full, 10.0, -10.0)[None]
    assert torch.allclose(segmenter.decode_logits(embedding, boxes=box, mask_inputs=logits)[0], by_full)


@pytest.mark.parametrize("given", [None, np.zeros((1, 8, 8, 8), np.float32), torch.zeros(1, 8, 8, 8), picture()])
def test_what_is_no_embedding_is_refused(segmenter: Segmenter, given: Any) -> None:
    for ask in (segmenter.predict, segmenter.decode_logits):
        with pytest.raises(PromptError, match=f"what `encode` returns; got {type(given).__name__}"):
            ask(given, boxes=[[0, 0, 20, 20]])


def test_tensors_without_numbers_are_refused(segmenter: Segmenter, embedding: Embedding) -> None:
    boxes = torch.tensor([[0.0, 0.0, 20.0, 20.0]])
    for prompts in (
        {"boxes": boxes.to("meta")},
        {"points": boxes.reshape(2, 1, 2).to("meta")},
        {"points": [[[5, 5]]], "labels": torch.ones(1, 1, device="meta")},
        {"boxes": boxes, "mask_inputs": torch.zeros(1, 32, 32, device="meta")},
    ):
        with pytest.raises(PromptError, match="numbers"):
            segmenter.predict(embedding, **prompts)
