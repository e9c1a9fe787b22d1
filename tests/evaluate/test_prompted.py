"""IoU of the masks that true boxes and points give."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.evaluate.baselines import filled_box
from mobilesamv2.evaluate.datasets import DatasetError, Photograph
from mobilesamv2.evaluate.prompted import best_iou_per_prompt, innermost_point, pairwise_iou, prompted_iou
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Floats, Masks, Rle
from tests.evaluate.photographs import photograph_of
from tests.tiny import picture, tiny_segmenter


def _rle(rows: slice, columns: slice, *, size_hw: tuple[int, int] = (40, 60)) -> Rle:
    dense = np.zeros(size_hw, dtype=np.uint8, order="F")
    dense[rows, columns] = 1
    rle: Rle = coco_mask.encode(dense)
    return rle


SQUARE, HALF = _rle(slice(10, 30), slice(10, 30)), _rle(slice(10, 30), slice(10, 20))
EMPTY = _rle(slice(0, 0), slice(0, 0))


def test_iou_is_taken_pair_by_pair() -> None:
    assert pairwise_iou([SQUARE, SQUARE, SQUARE, EMPTY], [SQUARE, HALF, EMPTY, EMPTY]).tolist() == [
        1,
        0.5,
        0,
        0,
    ]


def test_unequal_numbers_of_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        pairwise_iou([SQUARE, HALF], [SQUARE])


def test_no_pairs_have_no_iou() -> None:
    assert pairwise_iou([], []).shape == (0,)


def _masks(rles: list[Rle], prompt_index: npt.NDArray[np.int64], *, size_hw: tuple[int, int] = (40, 60)) -> Masks:
    unknown = np.full(len(rles), np.nan, dtype=np.float32)
    return Masks(
        size_hw=size_hw,
        rles=tuple(rles),
        scores=unknown,
        boxes_xyxy=np.zeros((len(rles), 4), dtype=np.float32),
        predicted_iou=unknown,
        stability=unknown,
        detector_scores=unknown,
        prompt_index=prompt_index,
    )


def test_the_best_of_three_answers_counts() -> None:
    answers = _masks([EMPTY, HALF, SQUARE, HALF], np.array([0, 0, 0, 2]))
    assert best_iou_per_prompt([SQUARE, SQUARE, SQUARE], answers).tolist() == [1, 0, 0.5]


def test_the_innermost_point_of_a_square_is_its_middle() -> None:
    x, y = innermost_point(_rle(slice(10, 21), slice(30, 41)))
    assert (x, y) == (35, 15)


def test_the_innermost_point_is_on_the_mask() -> None:
    ring = np.zeros((40, 60), dtype=np.uint8, order="F")
    ring[5:35, 10:50] = 1
    ring[10:30, 15:45] = 0
    x, y = innermost_point(coco_mask.encode(ring)).astype(int)
    assert ring[y, x] == 1


def test_the_edge_of_the_picture_ends_a_mask() -> None:
    x, y = innermost_point(_rle(slice(0, 40), slice(0, 11)))
    assert x == 5
    assert 4 < y < 35


@pytest.fixture
def photograph(tmp_path: Path) -> Photograph:
    path = tmp_path / "photo.png"
    Image.fromarray(picture()).save(path)
    return photograph_of(path, (40, 60), (SQUARE, _rle(slice(0, 8), slice(40, 60)), HALF))


def test_every_object_is_asked_for_once(photograph: Photograph) -> None:
    found = prompted_iou(tiny_segmenter(), [photograph, photograph])
    assert len(found) == 6
    for values in (found.box, found.point, found.filled_ellipse, found.filled_box):
        assert values.shape == (6,)
        assert ((values >= 0) & (values <= 1)).all()
    # The objects are rectangles.
    assert found.filled_box.tolist() == [1] * 6
    assert found.filled_ellipse == pytest.approx(np.full(6, np.pi / 4), abs=0.05)


class Knowing:
    """Answers a box with the box, filled, and a point with nothing, the mask it lies in, and nothing."""

    def __init__(self, truth: Photograph) -> None:
        self.truth = truth

    def encode(self, image: object) -> None:
        del image

    def predict(
        self,
        embedding: None,
        *,
        boxes: Floats | None = None,
        points: Floats | None = None,
        labels: npt.NDArray[np.int64] | None = None,
        multimask: bool = False,
    ) -> Masks:
        if boxes is not None:
            assert not multimask
            rles = [filled_box(box, size_hw=self.truth.size_hw) for box in boxes]
            return _masks(rles, np.arange(len(boxes)), size_hw=self.truth.size_hw)
        assert multimask
        assert points is not None
        assert labels is not None
        assert (labels == 1).all()
        assert labels.shape == points.shape[:2] == (len(self.truth.rles), 1)
        rles, nothing = [], _rle(slice(0, 0), slice(0, 0), size_hw=self.truth.size_hw)
        for rle, (x, y) in zip(self.truth.rles, points[:, 0].astype(int), strict=True):
            assert coco_mask.decode(rle)[y, x] == 1
            rles += [nothing, rle, nothing]
        return _masks(rles, np.repeat(np.arange(len(points)), 3), size_hw=self.truth.size_hw)


def test_a_model_that_knows_everything_scores_one(photograph: Photograph) -> None:
    found = prompted_iou(cast(Segmenter, Knowing(photograph)), [photograph])
    assert found.point.tolist() == [1, 1, 1]
    assert found.box.tolist() == [1, 1, 1]  # the objects are rectangles


def test_no_photographs_have_no_objects() -> None:
    assert len(prompted_iou(tiny_segmenter(), [])) == 0


def test_annotations_for_another_size_are_refused(photograph: Photograph) -> None:
    wrong = photograph_of(photograph.path, (41, 60), photograph.rles)
    with pytest.raises(DatasetError, match="is 60 x 40 pixels; its annotations are for 60 x 41"):
        prompted_iou(tiny_segmenter(), [wrong])


class Seeing(Knowing):
    """Knows the truth at any size of the picture, and remembers the sizes it saw."""

    def __init__(self, truth: Photograph) -> None:
        super().__init__(truth)
        self.seen: list[tuple[int, int]] = []

    def encode(self, image: npt.NDArray[np.uint8]) -> None:  # type: ignore[override]
        self.seen.append((image.shape[0], image.shape[1]))
        scaled = [
            Image.fromarray(coco_mask.decode(rle)).resize(image.shape[1::-1], Image.Resampling.NEAREST)
            for rle in self.truth.rles
        ]
        rles = tuple(coco_mask.encode(np.asfortranarray(mask)) for mask in scaled)
        self.now = photograph_of(self.truth.path, self.seen[-1], rles)

    def predict(self, embedding: None, **prompts: Any) -> Masks:
        return Knowing(self.now).predict(embedding, **prompts)


@pytest.mark.parametrize(("longest_side", "size_hw"), [(30, (20, 30)), (600, (400, 600)), (None, (40, 60))])
def test_a_model_may_see_the_pictures_at_another_size(
    photograph: Photograph, longest_side: int | None, size_hw: tuple[int, int]
) -> None:
    model = Seeing(photograph)
    found = prompted_iou(cast(Segmenter, model), [photograph], longest_side=longest_side)
    assert model.seen == [size_hw]
    assert found.box == pytest.approx(np.ones(3), abs=0.1)
    assert found.point == pytest.approx(np.ones(3), abs=0.1)
