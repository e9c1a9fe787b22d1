"""Pictures per second of `mobilesamv2 batch` for one and two workers, and what a cluster would make of it.

    python -m benchmarks.batch [--pictures 24] [--rounds 2]

Needs the extra "batch". One and two workers run in turns, each with one thread, on photographs of 640 x 480, each
a part of its own. A third run, with a model that finds nothing in tiny pictures, shows how many parts a second Ray
and the files allow. It takes about two minutes on two quiet cores.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

import mobilesamv2
from mobilesamv2.batch.cluster import connected
from mobilesamv2.batch.run import PART_SIZE, Plan, Tally, run_batch
from mobilesamv2.batch.worker import STEPS, Work
from mobilesamv2.images import ReadImage
from mobilesamv2.request import Request
from mobilesamv2.results import SegmentationResult
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Masks, Prompts

from .harness import parser_of, report

EXAMPLES = Path(__file__).parent.parent / "examples" / "images"
WIDTH, HEIGHT = 640, 480
TINY_PICTURES = 400
CLUSTERS = (2, 16, 64, 256, 1024)


@dataclass(frozen=True)
class Measured:
    """One run.

    Args:
        rate: pictures per second once all workers work.
        tally: of all of it.
        load: programs that wanted a core, over the last minute of the run; the workers are among them.
    """

    rate: float
    tally: Tally
    load: float


class FindsNothing:
    """A model that takes no time."""

    def segment_everything(self, read: ReadImage, /, *, request: Request) -> SegmentationResult:
        """A result without masks."""
        return SegmentationResult(
            sampler=request.sampler,
            model="none",
            device="none",
            timings={},
            masks_decoded=0,
            masks=Masks.empty(read.picture.shape[:2]),
            prompts=Prompts(boxes_xyxy=np.zeros((0, 4), dtype=np.float32)),
        )


def photographs(folder: Path, count: int) -> int:
    """Write `count` photographs of one size; their bytes."""
    folder.mkdir()
    examples = sorted(EXAMPLES.iterdir())
    for number in range(count):
        with Image.open(examples[number % len(examples)]) as image:
            fitted = ImageOps.fit(image.convert("RGB"), (WIDTH, HEIGHT))
        fitted.save(folder / f"{number:05}.jpg", quality=90)
    return sum(path.stat().st_size for path in folder.iterdir())


def one_thread() -> Segmenter:
    """The embedded model, on one thread however many cores its worker has."""
    torch.set_num_threads(1)
    return mobilesamv2.load("nano", device="cpu")


def measured(source: Path, workers: int, work: Work) -> Measured:
    """Run over a folder; the rate counts from when all workers work."""
    with tempfile.TemporaryDirectory() as output:
        plan = Plan((str(source),), output, {}, workers=workers, part_size=1)
        marks: list[tuple[float, int]] = []
        tally = Tally()
        for tally, _ in run_batch(plan, work):
            marks.append((time.perf_counter(), tally.done))
        (begun, before), (ended, done) = marks[workers], marks[-1]
        return Measured((done - before) / (ended - begun), tally, os.getloadavg()[0])


def row(name: str, runs: list[Measured], ratio: float) -> dict[str, object]:
    """The line of a table: medians of the runs."""
    seconds = {step: sum(run.tally.seconds_of[step] for run in runs) for step in STEPS}
    return {
        "workers": name,
        "pictures per second": statistics.median(run.rate for run in runs),
        "times one worker": ratio,
        "with the start of the workers": statistics.median(run.tally.rate for run in runs),
        **{f"{step}, % of the time": 100 * seconds[step] / sum(seconds.values()) for step in STEPS},
        "programs that wanted a core": statistics.median(run.load for run in runs),
    }


def projection(rate: float, picture_bytes: float, parts: float) -> list[dict[str, object]]:
    """What clusters would do if each worker did what one of two does here.

    Args:
        rate: pictures per second of two workers together.
        picture_bytes: mean size of a file.
        parts: parts per second that the driver was seen to handle.
    """
    rows: list[dict[str, object]] = []
    for workers in CLUSTERS:
        of_all = rate / 2 * workers
        rows.append(
            {
                "workers (cores)": workers,
                "pictures per second": of_all,
                "hours for a million": 1e6 / of_all / 3600,
                "MB read per second": of_all * picture_bytes / 1e6,
                "parts per second, % of what the driver handled": 100 * of_all / PART_SIZE / parts,
            }
        )
    return rows


def main() -> None:
    parser = parser_of("Time batch runs of one and two workers.", "batch", rounds=2)
    parser.add_argument("--pictures", type=int, default=24, help="of each run")
    options = parser.parse_args()
    # Ray runs workers with low priority, which other programs of a busy machine would show in the numbers.
    os.environ.update(CUDA_VISIBLE_DEVICES="", RAY_worker_niceness="0")
    work = Work(make_segmenter=one_thread, request=Request())
    with tempfile.TemporaryDirectory() as folder, connected(None, workers=2):
        photos, tiny = Path(folder, "photos"), Path(folder, "tiny")
        size = photographs(photos, options.pictures) / options.pictures
        one, two = [], []
        for _ in range(options.rounds):
            one.append(measured(photos, 1, work))
            two.append(measured(photos, 2, work))
        tiny.mkdir()
        for number in range(TINY_PICTURES):
            Image.new("RGB", (16, 16)).save(tiny / f"{number}.png")
        parts = measured(tiny, 2, Work(make_segmenter=FindsNothing, request=Request())).rate
    ratio = statistics.median(b.rate / a.rate for a, b in zip(one, two, strict=True))
    rows = [row("one", one, 1.0), row("two", two, ratio)]
    report("batch", rows, into=options.into, parts_per_second=parts)
    print(f"\nparts per second with a model that finds nothing: {parts:.0f}\n")
    projected = projection(statistics.median(run.rate for run in two), size, parts)
    report("batch_projection", projected, into=options.into.with_stem(f"{options.into.stem}_projection"))


if __name__ == "__main__":
    main()
