"""Runs of a model on a picture, for whatever is asked about it. They run where the model is, perhaps elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from ..filters import KEEP_ALL
from ..images import ReadImage
from ..progress import Progress, only_progress
from ..request import Request
from ..segmenter import Embedding, Segmenter
from ..stored import StoredEmbedding
from .models import Models


class Asked(Protocol):
    """What is asked about a picture: plain values, for they are pickled where a GPU is lent."""

    @property
    def prompts_at_most(self) -> int:
        """How many prompts it will ask."""
        ...

    def steps(self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding) -> Generator[Any, None, Any]:
        """Yield progress and whatever is there before the end; return the result."""
        ...


Run = Callable[[ReadImage, StoredEmbedding | None, Asked, str], Generator[Any, None, None]]
"""`run` without its models, perhaps sent to a GPU: a picture, its embedding or None, what is asked, a model."""


def run(
    models: Models, picture: ReadImage, stored: StoredEmbedding | None, asked: Asked, model: str
) -> Generator[Any, None, None]:
    """Encode `picture` unless that is `stored`, and do what is asked: its steps, then its result as the last item.

    A new embedding is yielded so that it can be kept (`Job.follow`). Closing this stops the model's work.
    """
    segmenter = models.get(model)
    if stored is None:
        yield Progress("encode", 0, 1)
        embedding = segmenter.encode(picture)
        yield StoredEmbedding.of(embedding)
    else:
        embedding = stored.on(segmenter.device)
    yield (yield from asked.steps(segmenter, picture, embedding))


@dataclass(frozen=True)
class Everything:
    """Segment everything.

    Args:
        request: how.
        is_raw: the masks of each chunk are wanted, too, and all before any filter.
        skip: so many prompts of it were asked before and are left out.
    """

    request: Request
    is_raw: bool = False
    skip: int = 0

    @property
    def prompts_at_most(self) -> int:
        """How many prompts it will ask."""
        return max(1, self.request.prompts_at_most - self.skip)

    def steps(self, segmenter: Segmenter, picture: ReadImage, embedding: Embedding) -> Generator[Any, None, Any]:
        """Progress, raw masks if wanted, and the result."""
        filters = KEEP_ALL if self.is_raw else None
        steps = segmenter.steps(picture, self.request, embedding=embedding, filters=filters, skip=self.skip)
        return (yield from steps if self.is_raw else only_progress(steps))
