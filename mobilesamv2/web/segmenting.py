"""Segment everything in a picture with a loaded model. Runs where the model is, perhaps in another process."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ..filters import KEEP_ALL
from ..images import ReadImage
from ..progress import Progress, only_progress
from ..request import Request
from ..results import PartialMasks, SegmentationResult
from ..stored import StoredEmbedding
from .encoding import encoded
from .models import Models


@dataclass(frozen=True)
class RawRequest:
    """A request whose masks are wanted as they come and before any filter.

    Args:
        request: what is asked.
        skip: so many prompts of it were asked before and are left out.
    """

    request: Request
    skip: int = 0


def run_segment(
    models: Models, picture: ReadImage, stored: StoredEmbedding | None, request: Request, model: str
) -> Generator[Progress | StoredEmbedding | SegmentationResult, None, None]:
    """Segment `picture`: progress, then the result as the last item. Closing it stops the model's work."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from only_progress(segmenter.steps(picture, request, embedding=embedding)))


def run_raw(
    models: Models, picture: ReadImage, stored: StoredEmbedding | None, asked: RawRequest, model: str
) -> Generator[Progress | StoredEmbedding | PartialMasks | SegmentationResult, None, None]:
    """As `run_segment`, with the masks of each chunk, and without filters."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from segmenter.steps(picture, asked.request, embedding=embedding, filters=KEEP_ALL, skip=asked.skip))


def prompts_of_segment(picture: ReadImage, stored: StoredEmbedding | None, request: Request, model: str) -> int:
    """How many prompts `run_segment` will ask at the most."""
    return request.prompts_at_most


def prompts_of_raw(picture: ReadImage, stored: StoredEmbedding | None, asked: RawRequest, model: str) -> int:
    """How many prompts `run_raw` will ask at the most."""
    return max(1, asked.request.prompts_at_most - asked.skip)
