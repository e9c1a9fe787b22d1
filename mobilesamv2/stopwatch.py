"""Measures how long each stage of a run takes. Used for the numbers people are shown; it decides nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from .results import STAGES


class Stopwatch:
    """Adds up seconds per stage, waiting for the device at both ends."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds = dict.fromkeys(STAGES, 0.0)

    def add(self, timings: dict[str, float]) -> None:
        """Count seconds that were measured elsewhere."""
        for stage, seconds in timings.items():
            self.seconds[stage] += seconds

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside the `with` block for a stage of `STAGES`."""
        self._wait()
        started = time.perf_counter()
        try:
            yield
        finally:
            self._wait()
            self.seconds[name] += time.perf_counter() - started

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
