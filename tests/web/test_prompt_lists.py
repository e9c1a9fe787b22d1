"""Points, labels and boxes as JSON has them, without pictures and models."""

from __future__ import annotations

import pytest

from mobilesamv2.errors import PromptError
from mobilesamv2.types import Prompts
from mobilesamv2.web.prompt_lists import Limits, read_prompts

LIMITS = Limits(objects=4, points=3)


def asked(points: object = None, labels: object = None, boxes: object = None) -> list[Prompts]:
    return read_prompts(points, labels, boxes, limits=LIMITS)


def plain(prompts: Prompts) -> dict[str, object]:
    """Points, labels and box of the one object."""
    parts = {"points": prompts.points, "labels": prompts.labels, "box": prompts.boxes_xyxy}
    return {name: part[0].tolist() for name, part in parts.items() if part is not None}


def test_a_list_of_points_is_one_object_all_of_them_on_it() -> None:
    (given,) = asked([[1, 2], [3, 4]])
    assert plain(given) == {"points": [[1, 2], [3, 4]], "labels": [1, 1]}
    assert not given.multimask


def test_lists_of_points_are_several_objects() -> None:
    given = asked([[[1, 2], [3, 4]], [[5, 6]], [[7, 8], [9, 9]]], [[1, 0], [1], [1, 1]])
    assert [plain(one) for one in given] == [
        {"points": [[1, 2], [3, 4]], "labels": [1, 0]},
        {"points": [[5, 6]], "labels": [1]},
        {"points": [[7, 8], [9, 9]], "labels": [1, 1]},
    ]


@pytest.mark.parametrize("boxes", [[1, 2, 30, 40], [[1, 2, 30, 40]], "[1, 2, 30, 40]"])
def test_a_box_may_stand_alone(boxes: object) -> None:
    assert [plain(one) for one in asked(boxes=boxes)] == [{"box": [1, 2, 30, 40]}]


def test_points_and_a_box_are_about_the_same_object() -> None:
    (given,) = asked([[1, 2]], [0], [[0, 0, 9, 9]])
    assert plain(given) == {"points": [[1, 2]], "labels": [0], "box": [0, 0, 9, 9]}


def test_three_masks_are_asked_for_on_request() -> None:
    objects = read_prompts([[[1, 2]], [[3, 4]]], None, None, multimask=True, limits=LIMITS)
    assert [one.multimask for one in objects] == [True, True]


def test_limits_can_be_reached() -> None:
    assert len(asked(boxes=[[1, 1, 5, 5]] * 4)) == 4
    assert len(asked([[1, 2]] * 3)) == 1


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
        ({"points": [[1, 2]], "labels": ["true"]}, "got 'true'"),
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


def test_labels_may_be_true_and_false_as_in_the_library() -> None:
    (one,) = read_prompts([[1, 2], [3, 4]], [True, False], None, limits=LIMITS)
    assert one.labels is not None
    assert one.labels.tolist() == [[1, 0]]
