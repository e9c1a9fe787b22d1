"""Points and boxes as programs give them, on a tiny model without a page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from mobilesamv2.errors import PromptError
from mobilesamv2.web import asking, prompting
from mobilesamv2.web.asking import PredictView, asked_from
from mobilesamv2.web.models import Models
from mobilesamv2.web.prompting import Limits
from mobilesamv2.web.steps import last
from mobilesamv2.web.visits import Visit
from tests.tiny import picture, tiny_segmenter

LIMITS = Limits(objects=4, points=3)


def asked(points: object = None, labels: object = None, boxes: object = None) -> list[asking.Asked]:
    return asked_from(points, labels, boxes, limits=LIMITS)


def test_a_list_of_points_is_one_object_all_of_them_on_it() -> None:
    (given,) = asked([[1, 2], [3, 4]])
    assert given.points is not None
    assert given.labels is not None
    assert given.points.tolist() == [[[1, 2], [3, 4]]]
    assert given.labels.tolist() == [[1, 1]]
    assert given.boxes is None


def test_lists_of_points_are_several_objects_put_together_by_how_many_points_they_have() -> None:
    one, two = asked([[[1, 2], [3, 4]], [[5, 6]], [[7, 8], [9, 9]]], [[1, 0], [1], [1, 1]])
    assert (one.places.tolist(), two.places.tolist()) == ([1], [0, 2])
    assert one.points is not None
    assert two.labels is not None
    assert one.points.tolist() == [[[5, 6]]]
    assert two.labels.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("boxes", [[1, 2, 30, 40], [[1, 2, 30, 40]], "[1, 2, 30, 40]"])
def test_a_box_may_stand_alone(boxes: object) -> None:
    (given,) = asked(boxes=boxes)
    assert given.boxes is not None
    assert given.boxes.tolist() == [[1, 2, 30, 40]]
    assert (given.points, given.labels) == (None, None)


def test_points_and_a_box_are_about_the_same_object() -> None:
    (given,) = asked([[1, 2]], [0], [[0, 0, 9, 9]])
    assert given.labels is not None
    assert given.labels.tolist() == [[0]]
    assert given.boxes is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "Say where the object is"),
        ({"points": [], "boxes": []}, "Say where the object is"),
        ({"points": ""}, "Say where the object is"),
        ({"points": "here"}, "points must be a list of numbers; got 'here'"),
        ({"points": 5}, "points must be a list of numbers; got 5"),
        ({"points": {"x": 1, "y": 2}}, "points must be a list"),
        ({"points": [1, 2]}, r"A point is \[x, y\], numbers in pixels of the photo; got 1"),
        ({"points": [["1", 2]]}, r"got \['1', 2\]"),
        ({"points": [[1, 2, 3]]}, r"A point is \[x, y\]"),
        ({"points": [[1, float("nan")]]}, r"A point is \[x, y\]"),
        ({"points": [[True, 2]]}, r"A point is \[x, y\]"),
        ({"points": [[1, 10**400]]}, r"A point is \[x, y\]"),
        ({"points": [[-(10**400), 1]]}, r"A point is \[x, y\]"),
        ({"points": [[1, 1e39]]}, r"A point is \[x, y\]"),
        ({"points": "[" * 100_000}, "points must be a list of numbers"),
        ({"points": [[[1, 2]], []]}, r"A point is \[x, y\]"),
        ({"points": [[1, 2]], "labels": [1, 0]}, "one for each"),
        ({"points": [[1, 2]], "labels": [2]}, "A label is 1 on the object or 0 beside it; got 2"),
        ({"points": [[1, 2]], "labels": [True]}, "got True"),
        ({"points": [[1, 2]], "labels": [10**400]}, "A label is 1"),
        ({"points": [[1, 2]], "labels": "1"}, "labels must be a list"),
        ({"labels": [1]}, "one for each"),
        ({"boxes": [1, 2, 3]}, "A box is"),
        ({"boxes": [[0, 0, 10**400, 5]]}, "A box is"),
        ({"boxes": [[0, 0, 1e39, 5]]}, "A box is"),
        ({"boxes": [[0, 0, float("inf"), 5]]}, "A box is"),
        ({"boxes": [[9, 9, 1, 1]]}, "x1 right of x0"),
        ({"boxes": [[1, 1, 1, 5]]}, "x1 right of x0"),
        ({"boxes": [[1, 1, 5, 5], 7]}, "A box is"),
        ({"points": [[1, 2]], "boxes": [[1, 1, 5, 5], [1, 1, 6, 6]]}, "1 object and boxes of 2 objects"),
        ({"boxes": [[1, 1, 5, 5]] * 5}, "at most 4 objects"),
        ({"points": [[1, 2]] * 4}, "at most 3 points; got 4"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(PromptError, match=said) as refused:
        asked(**wrong)
    assert str(refused.value).endswith(".")
    assert len(str(refused.value)) < 200


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    return str(tmp_path / "photo.png")


def predict(photo: str | None, given: list[asking.Asked], *, multimask: bool = False) -> PredictView:
    models = Models(lambda name: tiny_segmenter(), names=("tiny", "nano"), first="tiny")
    run = partial(prompting.run_predict, models)
    view = last(asking.predict(Visit(), photo, given, multimask, "tiny", run=run, display_side=30))
    assert isinstance(view, PredictView)
    return view


def test_the_answer_is_what_the_library_gives_in_the_order_asked(photo: str) -> None:
    boxes = [[10, 10, 50, 38], [2, 3, 40, 30]]
    view = predict(photo, asked(boxes=boxes))
    model = tiny_segmenter()
    expected = model.predict(model.encode(picture()), boxes=boxes)
    found = view.record["masks"]
    assert [mask["prompt_index"] for mask in found] == [0, 1]
    for index, mask in enumerate(found):
        assert (coco_mask.decode(mask["segmentation"]) == expected.dense_one(index)).all()
        assert mask["predicted_iou"] == pytest.approx(float(expected.predicted_iou[index]))
    assert view.record["image"] == {"width": 60, "height": 40}
    assert (view.record["objects"], view.record["masks_per_object"]) == (2, 1)
    assert view.overlay.shape == (20, 30, 3)


def test_three_masks_for_each_object_on_request(photo: str) -> None:
    view = predict(photo, asked([[[5, 5]], [[20, 20]]]), multimask=True)
    assert [mask["prompt_index"] for mask in view.record["masks"]] == [0, 0, 0, 1, 1, 1]
    assert view.record["masks_per_object"] == 3


def test_objects_of_different_numbers_of_points_are_answered_as_if_asked_alone(photo: str) -> None:
    objects = [[[5, 5], [9, 9]], [[20, 20]], [[30, 12], [31, 15]]]
    together = predict(photo, asked(objects)).record["masks"]
    assert [mask["prompt_index"] for mask in together] == [0, 1, 2]
    for place, points in enumerate(objects):
        (alone,) = predict(photo, asked(points)).record["masks"]
        assert together[place]["predicted_iou"] == pytest.approx(alone["predicted_iou"], abs=1e-4)
        assert abs(together[place]["area"] - alone["area"]) <= 2


@pytest.mark.parametrize(
    "given",
    [{"points": [[60, 5]]}, {"points": [[5, -3]]}, {"boxes": [70, 5, 90, 30]}, {"boxes": [0, -9, 5, -1]}],
)
def test_places_outside_the_photo_are_refused(photo: str, given: dict[str, object]) -> None:
    with pytest.raises(PromptError, match="outside the photo of 60 x 40 pixels"):
        predict(photo, asked(**given))


def test_limits_can_be_reached() -> None:
    (given,) = asked(boxes=[[1, 1, 5, 5]] * 4)
    assert len(given.places) == 4
