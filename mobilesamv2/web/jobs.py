"""Jobs: runs that a visitor asked for, and whether they are still wanted. Knows no components.

Stopping belongs to the server. A run looks after each item whether its job is stale, and ends with what it has.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

from ..images import ReadImage
from ..stored import StoredEmbedding
from .runs import Asked, Run
from .sessions import JobNumbers, Session, whole

Item = TypeVar("Item")


@dataclass(frozen=True, eq=False)
class Job:
    """One run that a visitor asked for.

    Args:
        session: whose it is.
        number: among the jobs of a page.
        numbers: of all jobs of its kind: `session.runs` or `session.batches`.
        tab: name of the tab that shows its answer.
    """

    session: Session
    number: int
    numbers: JobNumbers
    tab: str = ""

    @classmethod
    def take(cls, session: Session, number: object, numbers: JobNumbers, tab: str) -> Job | None:
        """The job of that number, to be done now; None if it, or a later one, was taken already."""
        return cls(session, whole(number), numbers, tab) if numbers.take(number, tab) else None

    @classmethod
    def alone(cls, session: Session | None = None) -> Job:
        """A job of nobody, which nothing stops: what programs ask for."""
        return cls(session or Session(), 0, JobNumbers())

    @property
    def is_gone(self) -> bool:
        """Whether its answer is dropped: its tab began a newer run, or another photo is at hand."""
        return self.number < max(self.numbers.latest_of.get(self.tab, 0), self.numbers.dropped)

    @property
    def is_stale(self) -> bool:
        """Whether its work ends: it was cancelled, another run was begun, or another photo is at hand."""
        newest = max(self.numbers.latest, self.numbers.dropped, self.numbers.cancelled + 1)
        return self.number < newest and self.number > 0

    def read(self, photo: str | None) -> ReadImage:
        """The photo that this job is about; it becomes the one at hand.

        Args:
            photo: path of the file as it was uploaded; None for what the visitor sees without having chosen one.

        Raises:
            InvalidImageError: no photo, or not one that can be read.
        """
        return self.session.picture(self.session.seen(photo))

    def follow(self, run: Run, picture: ReadImage, asked: Asked, model: str) -> Generator[Any, None, None]:
        """What `run` gives of a picture until this job is stale; its embedding is taken out and kept.

        Raises:
            MobileSamError: what the model cannot do, in a sentence.
        """
        # A batch has pictures of its own.
        stored = self.session.embedding(model) if self.session.at_hand is picture else None
        with closing(self.wanted(run(picture, stored, asked, model))) as items:
            for item in items:
                if isinstance(item, StoredEmbedding):
                    self.session.keep_embedding(model, item, picture=picture)
                else:
                    yield item

    def wanted(self, items: Generator[Item, None, None]) -> Generator[Item, None, None]:
        """The items until this job is stale; where it is stale already, what makes them does not begin.

        It is closed when this ends, is closed or fails. That stops the work also on a lent GPU.
        """
        with closing(items):
            while not self.is_stale:
                try:
                    item = next(items)
                except StopIteration:
                    return
                yield item


@dataclass(frozen=True, eq=False)
class Question(Job):
    """Something asked about the photo at hand beside all runs: only another photo makes it stale.

    Its number is the latest one at the time it was asked.
    """

    @property
    def is_gone(self) -> bool:
        """Whether another photo is at hand."""
        return self.number < self.numbers.dropped

    @property
    def is_stale(self) -> bool:
        """The same: nobody cancels a question."""
        return self.is_gone
