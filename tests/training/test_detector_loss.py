from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.detector_loss import (
    LossConfig,
    assign,
    cell_grid,
    complete_iou,
    detector_loss,
    distribution_loss,
    near_cells,
)

SIZES = [(16, 16), (8, 8), (4, 4)]
STRIDES = (4, 8, 16)
CELLS = sum(height * width for height, width in SIZES)
BINS = 8


def truth(*boxes: tuple[float, float, float, float]) -> Tensor:
    return torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)


def raw(pictures: int = 2, *, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "boxes": torch.randn(pictures, 4 * BINS, CELLS, generator=generator),
        "scores": torch.randn(pictures, 1, CELLS, generator=generator),
    }


def loss(predicted: dict[str, Tensor], boxes: Tensor, index: Tensor, background: float = 1.0) -> Tensor:
    return detector_loss(
        predicted,
        sizes_hw=SIZES,
        strides=STRIDES,
        boxes_xyxy=boxes,
        picture_index=index,
        background=torch.full((len(predicted["scores"]), CELLS), background),
        config=LossConfig(),
    )


def test_cells_that_may_answer_lie_in_their_box_or_next_to_its_centre() -> None:
    boxes = truth((10, 10, 50, 30), (20, 20, 22, 23), (0, 0, 64, 64))
    index, inside = near_cells(boxes, sizes_hw=SIZES, strides=STRIDES)
    centres, strides = cell_grid(SIZES, STRIDES, device=boxes.device)
    for box, cells, valid in zip(boxes, index, inside, strict=True):
        assert valid.any()
        at, step = centres[cells[valid]], strides[cells[valid], None]
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2
        assert ((at - middle).abs() < torch.maximum(half, 0.8 * step)).all()


@pytest.mark.parametrize(("box", "levels"), [((30, 30, 35, 35), {0}), ((4, 4, 60, 60), {0, 1, 2})])
def test_a_small_object_is_answered_for_on_the_finest_level_only(
    box: tuple[float, float, float, float], levels: set[int]
) -> None:
    index, inside = near_cells(truth(box), sizes_hw=SIZES, strides=STRIDES)
    _, strides = cell_grid(SIZES, STRIDES, device=index.device)
    assert {STRIDES.index(int(stride)) for stride in strides[index[inside]]} == levels


def test_no_cell_answers_for_two_objects_and_none_for_too_many() -> None:
    boxes = truth((0, 0, 40, 40), (4, 4, 44, 44), (30, 30, 60, 60), (30, 30, 60, 60))
    index = torch.tensor([0, 0, 0, 1])
    predicted = torch.rand(2 * CELLS, 4, generator=torch.Generator().manual_seed(1)) * 30
    predicted[:, 2:] += 30
    found = assign(
        scores=torch.full((2 * CELLS,), 0.5),
        predicted=predicted,
        boxes_xyxy=boxes,
        picture_index=index,
        sizes_hw=SIZES,
        strides=STRIDES,
        config=LossConfig(cells_per_object=5),
    )
    assert len(set(found.cells.tolist())) == len(found.cells)
    assert found.objects.bincount().max() <= 5
    assert torch.equal(found.cells // CELLS, index[found.objects])
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


def test_pictures_without_objects_have_a_loss_of_confidence_only() -> None:
    box, score, distance = loss(raw(), truth(), torch.zeros(0, dtype=torch.int64))
    assert (box, distance) == (0, 0)
    assert score > 0


def test_unlabelled_places_count_by_their_weight() -> None:
    boxes, index = truth(), torch.zeros(0, dtype=torch.int64)
    full, tenth, none = (loss(raw(), boxes, index, background)[1] for background in (1.0, 0.1, 0.0))
    torch.testing.assert_close(tenth, 0.1 * full)
    assert none == 0


def test_labelled_places_count_in_full_where_others_do_not() -> None:
    assert loss(raw(), truth((10, 10, 40, 40)), torch.tensor([0]), background=0.0)[1] > 0


def test_the_loss_does_not_depend_on_the_order_of_objects() -> None:
    boxes, index = truth((0, 0, 40, 40), (30, 30, 60, 60), (5, 5, 20, 30)), torch.tensor([0, 0, 1])
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(loss(raw(), boxes, index), loss(raw(), boxes[order], index[order]))


def test_descending_the_loss_finds_the_object() -> None:
    predicted = {name: value.clone().requires_grad_() for name, value in raw(1).items()}
    boxes, index = truth((8, 12, 36, 40)), torch.tensor([0])
    optimiser = torch.optim.Adam(predicted.values(), lr=0.3)
    for _ in range(60):
        optimiser.zero_grad()
        parts = loss(predicted, boxes, index)
        parts.sum().backward()
        optimiser.step()
    assert parts[0] < 0.5
    assert predicted["scores"].sigmoid().max() > 0.7


def test_complete_iou_is_one_for_equal_boxes_and_falls_with_distance() -> None:
    box = truth((0, 0, 10, 10))
    assert complete_iou(box, box).item() == pytest.approx(1, abs=1e-5)
    near, far = (complete_iou(truth((x, 0, x + 10, 10)), box).item() for x in (20, 40))
    assert far < near < 0


def test_a_distance_between_two_bins_is_best_told_by_both() -> None:
    logits = torch.full((1, 4, BINS), -20.0)
    logits[..., 2], logits[..., 3] = 0.0, 0.0
    wanted = torch.full((1, 4), 2.5)
    half = distribution_loss(logits, wanted)
    assert half.item() == pytest.approx(0.693, abs=1e-3)
    logits[..., 3] = 2.0
    assert distribution_loss(logits, wanted) > half
    assert torch.isfinite(distribution_loss(logits, torch.full((1, 4), 99.0))).all()
