"""Runs of a model on the photo at hand, for whatever is asked about it. Knows no components."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

from ..images import ReadImage
from ..progress import Progress
from ..stored import StoredEmbedding
from .jobs import Job

Asked = TypeVar("Asked")
Item = TypeVar("Item")
PhotoRun = Callable[
    [ReadImage, StoredEmbedding | None, Asked, str], Generator[Progress | StoredEmbedding | Item, None, None]
]
"""Runs a model by its name on a picture, or on the embedding that is kept of it; perhaps on a lent GPU."""


def read_photo(job: Job, photo: str | None) -> ReadImage:
    """The photo that a job is about; it becomes the one at hand.

    Args:
        photo: path of the file as it was uploaded; None for what the visitor sees without having chosen one.

    Raises:
        InvalidImageError: no photo, or not one that can be read.
    """
    return job.session.picture(job.session.seen(photo))


def run_on(
    job: Job, picture: ReadImage, asked: Asked, model: str, *, run: PhotoRun[Asked, Item]
) -> Generator[Progress | Item, None, None]:
    """What `run` gives of a picture, with its progress, until the job is stale.

    Raises:
        MobileSamError: what the model cannot do, in a sentence.
    """
    session = job.session
    stored = session.embedding(model) if session.at_hand is picture else None  # a batch has pictures of its own
    return job.follow(run(picture, stored, asked, model), model=model, picture=picture)
