"""One mask of a result as the page tells of it."""

from __future__ import annotations

import numpy as np

from mobilesamv2.request import Request
from mobilesamv2.types import Prompts
from mobilesamv2.web.mask_views import Shown, ViewRequest, one_mask
from tests.export.examples import boxes_as_masks

EYE, FACE, PERSON = (4, 4, 6, 6), (2, 2, 8, 8), (0, 0, 10, 30)


def test_a_mask_knows_what_it_is_part_of_and_its_parts_the_largest_first() -> None:
    masks = boxes_as_masks([EYE, PERSON, FACE, (0, 20, 10, 30)], (40, 60), scores=0.5)
    prompts = Prompts(boxes_xyxy=masks.boxes_xyxy)
    shown = Shown(
        masks=masks, numbers=np.array([5, 0, 3, 8]), prompts=prompts, whole=4, wanted=ViewRequest(Request(), "nano")
    )
    person, face = one_mask(shown, 1), one_mask(shown, 2)
    assert person["part_of"] is None
    assert person["parts"] == [{"index": 3, "number": 9}, {"index": 2, "number": 4}]
    assert face["part_of"] == {"index": 1, "number": 1}
    assert face["parts"] == [{"index": 0, "number": 6}]
