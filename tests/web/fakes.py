"""A segmenter without a model: masks at once, the same for the same picture, so that tests are about the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch

from mobilesamv2.errors import WeightsError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.images import load_image, read_image
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.progress import Progress
from mobilesamv2.promptable import Embedding
from mobilesamv2.prompts import MaskFilters, Sampler, make_sampler
from mobilesamv2.request import Request
from mobilesamv2.results import STAGES, PartialMasks, RunInfo, SegmentationResult
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Masks, Picture, Prompts
from mobilesamv2.web.budgeting import BudgetRequest
from mobilesamv2.web.comparing import CompareRequest
from mobilesamv2.web.jobs import Job
from mobilesamv2.web.layout import build_demo, launch
from mobilesamv2.web.models import Models
from mobilesamv2.web.runs import Asked, Everything, Run, run
from mobilesamv2.web.settings import Range, Settings


def script(**changed: Any) -> dict[str, Any]:
    """What a `FakeSegmenter` does, and what became of it: a fresh one, but for what is `changed`.

    `pause`: seconds of each step; `finds`: boxes that its detector finds; `error`: raised by a run instead;
    `encoded`: pictures encoded; `started`, `closed`: runs begun, and stopped before their end; `under_way`: those that
    are not at an end; `asked`: sampler and prompts of each run.
    """
    return {
        "pause": 0.0,
        "finds": 12,
        "error": None,
        "encoded": 0,
        "started": 0,
        "closed": 0,
        "under_way": 0,
        "asked": (),
        **changed,
    }


@dataclass
class FakeSegmenter:
    """Answers every prompt with a disc, as its `script` says: a namespace, shared with a test."""

    script: Any
    name: str = "nano"
    device_description: str = "CPU, 2 threads"
    has_detector: bool = True
    finds: int | None = None

    def with_detector(self, detector: FakeDetector) -> FakeSegmenter:
        return replace(self, finds=detector.finds)

    @property
    def grid_filters(self) -> MaskFilters:
        return MaskFilters()

    @property
    def detector(self) -> FakeDetector:
        return FakeDetector(self.script, self.finds)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def encode(self, image: Any) -> Embedding:
        picture = load_image(image)
        self.script.encoded += 1
        time.sleep(self.script.pause)
        return Embedding(
            features=torch.full((1, 1, 2, 2), float(picture.mean())),
            resize=ResizeLongestSide(size_hw=(picture.shape[0], picture.shape[1]), input_side=64),
            timings={"preprocess": 0.002, "encode": 0.11},
            model=self.name,
        )

    def predict(
        self,
        embedding: Embedding,
        *,
        boxes: Any = None,
        points: Any = None,
        labels: Any = None,
        multimask: bool = False,
    ) -> Masks:
        """The ellipse in each box; a disc around the first point of each object, or three to choose from."""
        if self.script.error:
            raise self.script.error
        time.sleep(self.script.pause)
        height, width = embedding.resize.size_hw
        if boxes is not None:
            wanted = np.asarray(boxes, dtype=np.float32).reshape(-1, 4)
        else:
            centres = np.asarray(points, dtype=np.float32)[:, 0].repeat(3 if multimask else 1, axis=0)
            radii = np.tile([0.1, 0.2, 0.3] if multimask else [0.2], len(points)) * min(height, width)
            wanted = np.concatenate([centres - radii[:, None], centres + radii[:, None]], axis=1)
        self.script.asked = (*self.script.asked, ("given", len(wanted)))
        found = discs(np.zeros((height, width, 3), dtype=np.uint8), Prompts(boxes_xyxy=wanted))
        return replace(found, predicted_iou=np.tile([0.71, 0.93, 0.52], len(wanted))[: len(wanted)])

    def steps(
        self,
        image: Any,
        request: Request | Sampler | None = None,
        *,
        embedding: Embedding | None = None,
        filters: MaskFilters | None = None,
        skip: int = 0,
        stop: Callable[[], bool] | None = None,
    ) -> Generator[Progress | PartialMasks, None, SegmentationResult]:
        if self.script.error:
            raise self.script.error
        self.script.started += 1
        self.script.under_way += 1
        try:
            read = read_image(image)
            picture = read.picture
            if embedding is None:
                yield Progress("encode", 0, 1)
                embedding = self.encode(image)
            yield Progress("discover", 0, 1)
            asked = Request() if request is None else request
            sampler = self.sampler_for(asked) if isinstance(asked, Request) else asked
            run = replace(self._run_info(asked, sampler, embedding), scaled_to_own_range=read.scaled_to_own_range)
            parts: list[PartialMasks] = []
            complete = yield from self._rounds(picture, sampler, parts, run, skip, stop)
            nothing = PartialMasks(discs(picture, NOTHING), NOTHING, first=skip, done=0, total=0, run=run)
            result = SegmentationResult.of_partial(parts or [nothing], filters=filters, is_complete=complete)
            self.script.asked = (*self.script.asked, (result.sampler, len(result.prompts)))
            return result
        except GeneratorExit:
            self.script.closed += 1
            raise
        finally:
            self.script.under_way -= 1

    def sampler_for(self, request: Request) -> Sampler:
        return make_sampler(request, detector=self.detector, grid_filters=MaskFilters(), model_name=self.name)

    def _run_info(self, request: Request | Sampler, sampler: Sampler, embedding: Embedding) -> RunInfo:
        timings = dict.fromkeys(STAGES, 0.0) | embedding.timings
        return RunInfo(
            sampler=sampler.name,
            model=self.name,
            device=self.device_description,
            timings=timings | ({} if sampler.name == "grid" else {"discover": 0.04}),
            masks_decoded=0,
            request=request if isinstance(request, Request) else None,
            own_filters=sampler.filters,
        )

    def _rounds(
        self,
        picture: Picture,
        sampler: Sampler,
        parts: list[PartialMasks],
        run: RunInfo,
        skip: int,
        stop: Callable[[], bool] | None,
    ) -> Generator[Progress | PartialMasks, None, bool]:
        """Eight prompts at a time, as `Segmenter.steps` does it; whether it came to the end."""
        rounds, answer, begun, done = sampler.rounds(picture), None, 0, 0
        while True:
            try:
                prompts = next(rounds) if answer is None else rounds.send(answer)
            except StopIteration:
                return True
            answer = discs(picture, prompts)
            total = done + len(prompts) - skip
            for first in range(skip, len(prompts), 8):
                if stop is not None and stop():
                    return False
                yield Progress("decode", done, total)
                time.sleep(self.script.pause)
                chunk = range(first, min(first + 8, len(prompts)))
                done += len(chunk)
                masks = answer.select(np.array(chunk))
                part = PartialMasks(
                    masks=replace(masks, prompt_index=masks.prompt_index + begun),
                    prompts=prompts[first : chunk.stop],
                    first=begun + first,
                    done=done,
                    total=total,
                    run=took(run, done),
                )
                parts.append(part)
                yield part
            begun, skip = begun + len(prompts), 0


NOTHING = Prompts(boxes_xyxy=np.zeros((0, 4), dtype=np.float32))


def took(run: RunInfo, prompts: int) -> RunInfo:
    """A run after so many prompts."""
    each = {"decode": 0.003, "filter": 0.0001, "postprocess": 0.0004}
    timings = run.timings | {stage: seconds * prompts for stage, seconds in each.items()}
    return replace(run, timings=timings, masks_decoded=prompts * (3 if run.sampler == "grid" else 1))


@dataclass(frozen=True)
class FakeDetector:
    """Finds the boxes that its `script` says, or as many as it `finds` itself."""

    script: Any
    finds: int | None = None

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        found = boxes(picture, self.finds or self.script.finds)[:max_boxes]
        assert found.boxes_xyxy is not None
        scores = np.linspace(0.99, confidence, len(found), dtype=np.float32)
        return Detections(boxes_xyxy=found.boxes_xyxy, scores=scores)


def boxes(picture: Picture, count: int) -> Prompts:
    """`count` boxes of several sizes, the same on every run."""
    height, width = picture.shape[:2]
    random = np.random.default_rng(0)
    sides = random.uniform(0.08, 0.4, (count, 2))
    corners = random.uniform(0, 1, (count, 2)) * (1 - sides)
    unit = np.concatenate([corners, corners + sides], axis=1)
    return Prompts(boxes_xyxy=(unit * [width, height, width, height]).astype(np.float32))


def discs(picture: Picture, prompts: Prompts) -> Masks:
    """An ellipse in each box, a disc around each point."""
    height, width = picture.shape[:2]
    if prompts.boxes_xyxy is not None:
        wanted = prompts.boxes_xyxy
    else:
        assert prompts.points is not None
        radius = max(1.0, 0.4 * max(height, width) / max(1.0, len(prompts) ** 0.5))
        wanted = np.concatenate([prompts.points[:, 0] - radius, prompts.points[:, 0] + radius], axis=1)
    rles, found = [], []
    for x0, y0, x1, y1 in wanted:
        left, top = max(0, int(x0)), max(0, int(y0))
        right, bottom = min(width, max(left + 1, int(x1))), min(height, max(top + 1, int(y1)))
        y, x = np.mgrid[top:bottom, left:right]
        middle_x, middle_y = (left + right - 1) / 2, (top + bottom - 1) / 2
        window = ((x - middle_x) / (right - left)) ** 2 + ((y - middle_y) / (bottom - top)) ** 2 <= 0.25
        rles.append(encode_window(window, origin_yx=(top, left), size_hw=(height, width)))
        found.append([left, top, right, bottom])
    scores = np.linspace(0.99, 0.4, len(rles), dtype=np.float32) if prompts.scores is None else prompts.scores
    return Masks(
        size_hw=(height, width),
        rles=tuple(rles),
        scores=scores,
        boxes_xyxy=np.asarray(found, dtype=np.float32).reshape(-1, 4),
        predicted_iou=scores,
        stability=scores,
        detector_scores=scores,
        prompt_index=np.arange(len(rles)),
    )


def loader(script: Any) -> Callable[[str], Segmenter]:
    """Like `mobilesamv2.load`, where only the embedded model is at hand."""

    def load(name: str) -> Segmenter:
        if name != "nano":
            raise WeightsError(f"{name} could not be fetched: there is no network here. nano needs none.")
        return cast(Segmenter, FakeSegmenter(script))

    return load


def fetcher(script: Any) -> Callable[[str], Generator[Progress, None, None]]:
    """Like `menus.arriving`: what is not at hand arrives in steps of a megabyte, as fast as the script says."""

    def fetch(choice: str) -> Generator[Progress, None, None]:
        for megabytes in range(1, 42 if choice.startswith("mobilesam") else 1):
            yield Progress("fetch", megabytes * 10**6, 41 * 10**6)
            time.sleep(script.pause)

    return fetch


FAKE_SETTINGS = Settings(
    examples=(Path(__file__).resolve().parents[2] / "examples" / "images" / "coffee.png",),
    first_example=False,
    grid_sides=Range(8, 32, 8, 8),
    display_side=256,
    upload_bytes=2_000_000,
)


GRID_8, BOXES = Request("grid", points_per_side=8), Request("object-aware", max_prompts=320)


def serve_fake(script: Any, port: int, settings: Settings = FAKE_SETTINGS) -> None:
    """Serve the page on a fake model until the process is ended."""
    models = Models(
        loader(script),
        names=("nano", "mobilesam"),
        first="nano",
        load_detector=lambda name: FakeDetector(script, finds=2),
        detectors=("fastsam-s",),
        fetch=fetcher(script),
    )
    launch(build_demo(models, settings), settings, host="127.0.0.1", port=port)


class Fake:
    """Models with one fake in them, its script, and what the page's tabs run on it, all as one job of one visitor."""

    def __init__(self, **changed: Any) -> None:
        self.script = SimpleNamespace(**script(**changed))
        self.models = Models(loader(self.script), names=("nano", "mobilesam"), first="nano")
        self.job = Job.alone()

    def segment(self, photo: Any, request: Request = BOXES) -> Generator[Any, None, None]:
        return self._run(photo, Everything(request))

    def compare(self, photo: Any, left: Request = GRID_8, right: Request = BOXES) -> Generator[Any, None, None]:
        return self._run(photo, CompareRequest(left, right))

    def budget(self, photo: Any, largest: int = 64) -> Generator[Any, None, None]:
        return self._run(photo, BudgetRequest(largest))

    @property
    def on_model(self) -> Run:
        return partial(run, self.models)

    def _run(self, photo: Any, asked: Asked) -> Generator[Any, None, None]:
        return self.job.follow(self.on_model, self.job.read(str(photo)), asked, "nano")
