"""Segment everything in a picture, as programs and *Several photos* ask for it. Runs where the model is."""

from __future__ import annotations

from collections.abc import Generator

from ..progress import Progress, only_progress
from ..request import Request
from ..results import SegmentationResult
from ..stored import StoredEmbedding
from ..types import Picture
from .encoding import encoded
from .models import Models


def run_segment(
    models: Models, picture: Picture, stored: StoredEmbedding | None, request: Request, model: str
) -> Generator[Progress | StoredEmbedding | SegmentationResult, None, None]:
    """Segment `picture`: progress, then the result as the last item. Closing it stops the model's work."""
    segmenter = models.get(model)
    embedding = yield from encoded(segmenter, picture, stored)
    yield (yield from only_progress(segmenter.steps(picture, request, embedding=embedding)))


def prompts_of_segment(picture: Picture, stored: StoredEmbedding | None, request: Request, model: str) -> int:
    """How many prompts `run_segment` will ask at the most."""
    return request.prompts_at_most
