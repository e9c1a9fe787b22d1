"""A batch run: lists the pictures, spreads them over workers with Ray Data and counts what comes back."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from ..export import json_bytes
from .cluster import Pool, connected, ray_data
from .listing import Listing, SeenNames
from .sources import names_of
from .store import SUMMARY_NAME, BatchError, Store
from .worker import STEPS, Report, Work, Worker

PART_SIZE = 64
"""Pictures of a part: what a worker that dies has to do again, and a Parquet file of one to a few megabytes."""
_PARTS_EACH = 8
"""Parts are smaller where there would be fewer than so many for each worker, so that all end at about one time."""
_PARTS_AT_ONCE = 4096
"""Parts that Ray Data is given together: their names are about 20 MB, however many pictures there are."""


@dataclass(frozen=True)
class Plan:
    """What a run is.

    Args:
        sources: the pictures, as `names_of` takes them.
        output: folder of the results, or its fsspec address.
        about: what results depend on (model, request ...), ready for JSON: a folder is only continued with the same.
        address: of a Ray cluster; None: one on this machine, for this run alone.
        workers: how many; None: one for each GPU, or for each core.
        use_gpus: whether workers have a GPU each; None: if there are any.
        part_size: pictures of a part at most.
        retry_errors: whether pictures that failed in an earlier run are tried again.
    """

    sources: tuple[str, ...]
    output: str
    about: dict[str, Any]
    address: str | None = None
    workers: int | None = None
    use_gpus: bool | None = None
    part_size: int = PART_SIZE
    retry_errors: bool = False


@dataclass
class Tally:
    """How far a run is, and in the end what it did.

    Args:
        total: pictures of this run.
        done, errors: of them so far.
        done_before, errors_before: of earlier runs into the same folder.
        seconds: since the workers were asked for.
        seconds_of: of all workers together, for each of `STEPS`.
        workers: how many.
        is_complete: whether there was no more to do.
    """

    total: int = 0
    done: int = 0
    errors: int = 0
    done_before: int = 0
    errors_before: int = 0
    seconds: float = 0.0
    seconds_of: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STEPS, 0.0))
    workers: int = 0
    is_complete: bool = False

    @property
    def rate(self) -> float:
        """Pictures per second, the start of the workers counted in."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at that rate; None before anything is done."""
        return (self.total - self.done) / self.rate if self.rate else None

    def to_record(self) -> dict[str, Any]:
        """What `summary.json` holds."""
        return asdict(self) | {"pictures_per_second": round(self.rate, 3)}


Update = tuple[Tally, Sequence[tuple[str, str]]]
"""How far the run is, and the pictures that failed since the update before: name and reason."""


def run_batch(plan: Plan, work: Work) -> Generator[Update, None, Tally]:
    """Segment pictures by many workers and write what they find; see docs/batch.md for the files.

    Each picture has one row in the end, however often the run or a worker was killed: what is in a part is done, parts
    appear whole, and a later run into the same folder does the rest. Closing the generator, or an exception thrown
    into it, ends the run with what was done.

    Args:
        plan: which pictures, and where.
        work: what is done with each.

    Yields:
        An update when the pictures are listed, and one after each part.

    Returns:
        The last tally, which is also written to `summary.json`.

    Raises:
        BatchError: if Ray is not there, the folder is another run's, or no worker can do anything.
        SourceError: if a source stands for no pictures.
    """
    ray_data()
    store = Store.opened(plan.output, plan.about)
    if plan.retry_errors:
        store.forget_errors()
    tally, seen = Tally(), SeenNames()
    for part in store.done_parts():
        tally.done_before += len(part.sources)
        tally.errors_before += part.errors
        for source in part.sources:
            seen.add(source)
    with closing(Listing(names_of(plan.sources, without=plan.output), seen)) as listing:
        tally.total = listing.count
        try:
            yield tally, ()
            if listing.count:
                yield from _spread(plan, work, store, listing, tally)
            tally.is_complete = True
        finally:
            if store.is_current():
                store.write(SUMMARY_NAME, json_bytes(tally.to_record()))
    return tally


def _spread(plan: Plan, work: Work, store: Store, listing: Listing, tally: Tally) -> Iterator[Update]:
    with connected(plan.address, workers=plan.workers, use_gpus=plan.use_gpus) as pool:
        tally.workers = pool.workers
        started = time.perf_counter()
        size = max(1, min(plan.part_size, tally.total // (pool.workers * _PARTS_EACH)))
        with closing(_reports(listing, size, pool, work, store)) as reports:
            for report in reports:
                if report.problem is not None:
                    raise BatchError(report.problem)
                tally.done += report.pictures
                tally.errors += len(report.errors)
                tally.seconds = time.perf_counter() - started
                for step in STEPS:
                    tally.seconds_of[step] += report.seconds[step]
                yield tally, report.errors


def _reports(listing: Listing, size: int, pool: Pool, work: Work, store: Store) -> Generator[Report, None, None]:
    """Reports of all parts, in the order in which workers finish them."""
    data = ray_data()
    import ray

    context = data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    blocks = listing.blocks(size)
    while parts := [{"names": json.dumps(names)} for names in islice(blocks, _PARTS_AT_ONCE)]:
        # A block of Ray Data is the names of one part: pictures and masks never go through its object store.
        reported = data.from_items(parts, override_num_blocks=len(parts)).map_batches(
            Worker,
            fn_constructor_args=(replace(work, threads=pool.cpus), store),
            batch_size=1,
            compute=data.ActorPoolStrategy(size=min(pool.workers, len(parts)), max_tasks_in_flight_per_actor=1),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
        )
        try:
            for batch in reported.iter_batches(batch_size=None, prefetch_batches=0):
                yield from (Report.from_text(str(text)) for text in batch["report"])
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-300:]
            raise BatchError(f"Ray ended the run: {reason} What is done stays; the same command goes on.") from error
