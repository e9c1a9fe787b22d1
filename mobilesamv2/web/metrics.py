"""Metrics of one page for Prometheus, and one line in the log for each request. Knows no components.

Neither says anything of a picture, of a file's name or of who asked.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from ..errors import MobileSamError
from ..progress import Progress

log = logging.getLogger(__name__)

Item = TypeVar("Item")
FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of `Metrics.page`."""
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 150, 600)
"""Upper bounds of the histograms' buckets."""


class Metrics:
    """Counts requests, errors and seconds of stages; memory of the process comes with them.

    Each page has a registry of its own, so that several may live in one process.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        count, time_of = partial(Counter, registry=registry), partial(Histogram, buckets=_SECONDS, registry=registry)
        self._requests = count("mobilesamv2_requests", "Requests by kind and outcome.", ("request", "outcome"))
        self._errors = count("mobilesamv2_errors", "Errors by kind.", ("kind",))
        told = "Seconds from a request's turn in the queue to its answer."
        self._seconds = time_of("mobilesamv2_request_seconds", told, ("request",))
        told = "Seconds of each stage of a run; wait: for the run before it."
        self._stages = time_of("mobilesamv2_stage_seconds", told, ("stage",))
        told = "Requests that wait in the queue or for the model."
        self._waiting = Gauge("mobilesamv2_waiting", told, registry=registry)

    def watch_queue(self, length: Callable[[], float]) -> None:
        """Report what `length` gives whenever the metrics are read."""
        self._waiting.set_function(length)

    @contextmanager
    def request(self, name: str) -> Iterator[None]:
        """Count what happens inside as one request and write one line of it.

        Args:
            name: kind of the request, made by the program.
        """
        started, outcome = time.perf_counter(), "answered"
        try:
            yield
        except GeneratorExit:
            outcome = "stopped"
            raise
        except Exception as error:
            cause = error.__cause__ or error
            kind = type(cause).__name__
            outcome = "refused" if isinstance(cause, MobileSamError) or cause is error else "failed"
            self._errors.labels(kind).inc()
            raise
        finally:
            seconds = time.perf_counter() - started
            self._requests.labels(name, outcome).inc()
            self._seconds.labels(name).observe(seconds)
            log.info("request=%s outcome=%s seconds=%.3f", name, outcome, seconds)

    def stages(self, items: Generator[Item, None, None]) -> Generator[Item, None, None]:
        """The same items; the time until an item is that of the stage named last before it."""
        stage, spent = "", dict[str, float]()
        with closing(items):
            try:
                while True:
                    started = time.perf_counter()
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                    finally:
                        spent[stage] = spent.get(stage, 0.0) + time.perf_counter() - started
                    if isinstance(item, Progress):
                        stage = item.stage
                    yield item
            finally:
                for stage, seconds in spent.items():
                    if stage:
                        self._stages.labels(stage).observe(seconds)

    def page(self) -> bytes:
        """What Prometheus reads."""
        return generate_latest(self.registry)
