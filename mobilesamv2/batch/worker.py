"""A worker: it loads a model, segments the pictures of each part and reports on it. Knows nothing of Ray."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Protocol

import torch

from ..errors import InvalidImageError, MobileSamError, sentence_of
from ..export import label_map_png
from ..images import ReadImage
from ..request import Request
from ..results import SegmentationResult
from .attempts import Attempt
from .listing import text_of
from .rows import Row, row_of_error, row_of_result
from .sources import read_named
from .store import Store, label_map_name, part_name

_OF_A_PICTURE = (InvalidImageError, OSError, MemoryError, torch.OutOfMemoryError)
"""What may be wrong with one picture while the next is fine."""
_DEADLY = "The worker died each time it came to this picture."
STEPS = ("read", "segment", "write")
"""What a worker's time goes to: waiting for pictures, which are read ahead; the model; files of results."""


class SegmentsEverything(Protocol):
    """What a worker needs of a model; a `Segmenter` has it."""

    def segment_everything(self, image: ReadImage, /, *, request: Request) -> SegmentationResult: ...


@dataclass(frozen=True)
class Work:
    """What is done with every picture. It is pickled on its way to the workers.

    Args:
        make_segmenter: loads the model, once in each worker.
        request: what is asked of it.
        label_maps: whether label maps are written too.
        threads: of each worker, for the model and for pictures read ahead.
    """

    make_segmenter: Callable[[], SegmentsEverything]
    request: Request
    label_maps: bool = False
    threads: int = 1


@dataclass(kw_only=True)
class Report:
    """How a part went.

    Args:
        pictures: how many are in it.
        errors: name and reason of each that could not be segmented.
        seconds: of each of `STEPS`.
        problem: a sentence that ends the whole run: no model, results that cannot be written.
    """

    pictures: int = 0
    errors: list[tuple[str, str]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))
    problem: str | None = None

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Report:
        """What `to_text` wrote."""
        values = json.loads(text)
        return cls(**values | {"errors": [(name, reason) for name, reason in values["errors"]]})

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Count the seconds of a block."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] += time.perf_counter() - started


class Worker:
    """Segments the pictures of parts.

    Args:
        work: what to do. A model that cannot be loaded is the problem of every report.
        store: where results go.
    """

    def __init__(self, work: Work, store: Store) -> None:
        torch.set_num_threads(work.threads)
        self._work, self._store = work, store
        self._problem: str | None = None
        try:
            self._segmenter = work.make_segmenter()
        except (MobileSamError, OSError, MemoryError, torch.OutOfMemoryError) as error:
            self._problem = sentence_of(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do the parts of a batch as Ray Data hands it over: lists of names and reports, each as JSON."""
        return {"report": [self.do_part(json.loads(str(names))).to_text() for names in batch["names"]]}

    def do_part(self, names: Sequence[str]) -> Report:
        """Segment pictures and publish their part, unless it is there: a worker died before it could report it."""
        if self._problem is not None:
            return Report(problem=self._problem)
        try:
            rows = self._store.read_part(names)
            if rows is None:
                return self._made(names)
        except (MobileSamError, OSError) as error:
            return Report(problem=sentence_of(error))
        return Report(pictures=len(names), errors=_errors(rows))

    def _made(self, names: Sequence[str]) -> Report:
        report = Report(pictures=len(names))
        attempt = Attempt.begun(self._store, part_name(names))
        rows = [row_of_error(name, _DEADLY) for name in names if name in attempt.deadly]
        left = [name for name in names if name not in attempt.deadly]
        for some in [[name] for name in left] if attempt.is_watched else [left]:
            if attempt.is_watched:
                attempt.comes_to(some[0])
            for name, reading in read_ahead(some, threads=self._work.threads):
                try:
                    rows.append(self._row(name, reading, report))
                except _OF_A_PICTURE as error:
                    rows.append(row_of_error(name, sentence_of(error)))
        with report.timed("write"):
            self._store.write_part(names, rows)
            attempt.ended()
        report.errors = _errors(rows)
        return report

    def _row(self, name: str, reading: Future[ReadImage], report: Report) -> Row:
        with report.timed("read"):
            read = reading.result()
        with report.timed("segment"):
            result = self._segmenter.segment_everything(read, request=self._work.request)
        with report.timed("write"):
            label_map = label_map_name(name) if self._work.label_maps else None
            if label_map is not None:
                self._store.write(label_map, label_map_png(result.masks))
            return row_of_result(name, result, label_map=label_map)


def read_ahead(names: Sequence[str], *, threads: int = 1) -> Iterator[tuple[str, Future[ReadImage]]]:
    """Read pictures while others are segmented, `threads` at once: so many are held beside the one in use."""
    waiting = iter(names)
    with ThreadPoolExecutor(threads) as readers:
        ahead = deque((name, readers.submit(read_named, name)) for name in islice(waiting, threads))
        while ahead:
            current = ahead.popleft()
            ahead.extend((name, readers.submit(read_named, name)) for name in islice(waiting, 1))
            yield current


def _errors(rows: Sequence[Row]) -> list[tuple[str, str]]:
    return [(text_of(row["source"]), row["error"]) for row in rows if row["error"] is not None]
