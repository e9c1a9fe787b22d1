"""Where memory does not suffice: smaller chunks, then a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from mobilesamv2.errors import NotEnoughMemoryError
from mobilesamv2.inference import is_short_of_memory

from .tiny import picture, tiny_segmenter

ON_GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
ON_CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried ...")
IN_NUMPY = MemoryError("Unable to allocate 8.00 GiB for an array")
ERRORS = pytest.mark.parametrize("error", [ON_GPU, ON_CPU, IN_NUMPY], ids=["device", "machine", "numpy"])


def room_for(count: int, decode: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The same, where memory suffices for so many prompts at once."""
    asked = []

    def decoded(features: Any, *, boxes_xyxy: Any, **others: Any) -> Any:
        asked.append(len(boxes_xyxy))
        if len(boxes_xyxy) > count:
            raise error
        return decode(features, boxes_xyxy=boxes_xyxy, **others)

    decoded.asked = asked  # type: ignore[attr-defined]
    return decoded


@ERRORS
def test_a_chunk_that_is_too_large_is_decoded_in_halves(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [[2, 3, 40, 30], [10, 10, 50, 38], [0, 0, 60, 40], [5, 5, 9, 9], [1, 2, 30, 20]]
    segmenter = tiny_segmenter(boxes=boxes, chunk_size=5)
    expected = segmenter.segment_everything(picture())
    given = segmenter.predict(segmenter.encode(picture()), boxes=boxes)
    small = room_for(2, segmenter.sam.decode, error)
    monkeypatch.setattr(segmenter.sam, "decode", small)
    found = segmenter.segment_everything(picture())
    assert small.asked == [5, 2, 3, 1, 2]  # type: ignore[attr-defined]
    assert found.masks.rles == expected.masks.rles
    assert segmenter.predict(segmenter.encode(picture()), boxes=boxes).rles == given.rles
    np.testing.assert_allclose(found.masks.scores, expected.masks.scores, atol=1e-5)


@ERRORS
def test_no_room_for_one_prompt_is_a_sentence_and_the_model_goes_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = tiny_segmenter()
    with monkeypatch.context() as patched:
        patched.setattr(segmenter.sam, "decode", room_for(0, segmenter.sam.decode, error))
        with pytest.raises(NotEnoughMemoryError, match=r"not enough memory for one prompt on CPU.*smaller model"):
            segmenter.segment_everything(picture())
    assert len(segmenter.segment_everything(picture()).masks)


@ERRORS
def test_no_room_for_the_picture_is_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()

    def fail(pixels: Any) -> None:
        raise error

    monkeypatch.setattr(segmenter.sam, "encode", fail)
    with pytest.raises(NotEnoughMemoryError, match="not enough memory for encoding a picture"):
        segmenter.encode(picture())


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    other = RuntimeError("The size of tensor a must match the size of tensor b.")
    assert not is_short_of_memory(other)
    monkeypatch.setattr(segmenter.sam, "decode", room_for(0, segmenter.sam.decode, other))
    with pytest.raises(RuntimeError, match="size of tensor"):
        segmenter.segment_everything(picture())
