"""A model that needs no time to load, and photographs to give it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobilesamv2.batch.run import Plan
from mobilesamv2.batch.worker import Work
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

    def segment_everything(self, read, *, request):
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


def work(segmenter: FakeSegmenter | None = None, **options: object) -> Work:
    """What workers of a test do."""
    return Work(make_segmenter=segmenter or FakeSegmenter(), request=Request("object-aware"), **options)


def plan(*sources: object, output: object, **options: object) -> Plan:
    """A run over sources into a folder."""
    given = {"about": {"model": "fake"}} | options
    return Plan(sources=tuple(map(str, sources)), output=str(output), **given)


def photograph(path: Path, *, width: int = 20) -> Path:
    """A small picture at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, 12), "grey").save(path, format="PNG")
    return path
