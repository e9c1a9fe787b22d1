"""Encodes a picture once for everything that is asked about it. Runs where the model is."""

from __future__ import annotations

from collections.abc import Generator

from ..images import ReadImage
from ..progress import Progress
from ..segmenter import Embedding, Segmenter
from ..stored import StoredEmbedding


def encoded(
    segmenter: Segmenter, picture: ReadImage, stored: StoredEmbedding | None
) -> Generator[Progress | StoredEmbedding, None, Embedding]:
    """Take the embedding that is there, or make it and yield it so that it can be kept (`Job.follow`).

    Args:
        stored: of this picture by this model, from an earlier run; None: there is none yet.
    """
    if stored is not None:
        return stored.on(segmenter.device)
    yield Progress("encode", 0, 1)
    embedding = segmenter.encode(picture)
    yield StoredEmbedding.of(embedding)
    return embedding
