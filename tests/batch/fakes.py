"""A model that needs no time to load, and photographs to give it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilesamv2.batch import run
from mobilesamv2.batch.cluster import Pool
from mobilesamv2.batch.run import Plan
from mobilesamv2.batch.worker import Work
from mobilesamv2.images import ReadImage
from mobilesamv2.request import Request
from mobilesamv2.results import SegmentationResult
from mobilesamv2.types import Prompts
from tests.export.examples import boxes_as_masks

DEADLY_WIDTH = 13
"""A picture of this width ends the process that segments it."""


@dataclass
class FakeSegmenter:
    """Two masks in every picture; it can be sent to other processes, and loads itself.

    Args:
        seconds: that a picture takes.
        processes: a folder that gets a file named after each process in which it is loaded.
    """

    seconds: float = 0.0
    processes: Path | None = None

    def __call__(self) -> FakeSegmenter:
        if self.processes is not None:
            (self.processes / str(os.getpid())).touch()
        return self

    def segment_everything(self, read: ReadImage, /, *, request: Request) -> SegmentationResult:
        height, width = read.picture.shape[:2]
        if width == DEADLY_WIDTH:
            raise SystemExit("killed")
        time.sleep(self.seconds)
        boxes = [(0, 0, 5, 4), (1, 1, 3, 3)]
        return SegmentationResult(
            sampler=request.sampler,
            model="fake",
            device="CPU",
            timings={"decode": 0.1},
            masks_decoded=2,
            request=request,
            masks=boxes_as_masks(boxes, (height, width), scores=0.5),
            prompts=Prompts(boxes_xyxy=np.array(boxes, dtype=np.float32)),
        )


def work(segmenter: Callable[[], FakeSegmenter] | None = None, **options: Any) -> Work:
    """What workers of a test do."""
    return Work(make_segmenter=segmenter or FakeSegmenter(), request=Request("object-aware"), **options)


def plan(*sources: object, output: object, **options: Any) -> Plan:
    """A run over sources into a folder."""
    given: dict[str, Any] = {"about": {"model": "fake"}} | options
    return Plan(sources=tuple(map(str, sources)), output=str(output), **given)


def photograph(path: Path, *, width: int = 20) -> Path:
    """A small picture at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 12), "grey").save(path, format="PNG")
    return path


class RayInProcess:
    """As much of `ray.data` as a run calls."""

    def __init__(self) -> None:
        self.given: list[int] = []
        context = SimpleNamespace(enable_progress_bars=True)
        self.DataContext = SimpleNamespace(get_current=lambda: context)
        self.ActorPoolStrategy = SimpleNamespace

    def from_items(self, items: list[dict[str, str]], *, override_num_blocks: int) -> RayInProcess:
        self.given.append(len(items))
        self.items = items
        return self

    def map_batches(self, worker: Any, *, fn_constructor_args: Any, batch_size: int, **_: object) -> RayInProcess:
        assert batch_size == 1
        self.worker = worker(*fn_constructor_args)
        return self

    def iter_batches(self, **_: object) -> Iterator[dict[str, list[str]]]:
        return (self.worker({"names": [item["names"]]}) for item in self.items)


def ray_in_process(monkeypatch: pytest.MonkeyPatch) -> RayInProcess:
    """Let runs of this process have a stand-in for Ray with two workers."""

    @contextmanager
    def connected(address: str | None, **_: object) -> Iterator[Pool]:
        yield Pool(workers=2, cpus=1, gpus=0)

    stand_in = RayInProcess()
    monkeypatch.setattr(run, "connected", connected)
    monkeypatch.setattr(run, "ray_data", lambda: stand_in)
    return stand_in
