"""Seconds per photo and stage for both samplers, on the CPU of this machine.

    python -m benchmarks.seconds_per_photo [PHOTO...] [--model nano] [--size 640x480] [--rounds 3] [--threads 2]

Each photo is scaled and cropped to the size, run once to warm up and then `rounds` times; medians are printed. Without
photos it takes three of the examples, one of them with more than 300 boxes. Each runs in float32, and in bfloat16 where
the model does so by itself.
"""

from __future__ import annotations

import statistics
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

import mobilesamv2
from mobilesamv2.results import STAGES

from .harness import number_formats, parser_of, report

EXAMPLES = Path(__file__).parent.parent / "examples" / "images"
PHOTOS = [EXAMPLES / name for name in ("coffee.png", "astronaut.jpg", "gravel.png")]


def main() -> None:
    parser = parser_of("Time both samplers on some photos.", "seconds_per_photo", rounds=3)
    parser.add_argument("photos", nargs="*", type=Path, default=PHOTOS)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--size", default="640x480", help="width x height in pixels")
    parser.add_argument("--points-per-side", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    width, height = (int(side) for side in options.size.split("x"))
    pictures = {}
    for photo in options.photos:
        with Image.open(photo) as image:
            pictures[photo.stem] = np.asarray(ImageOps.fit(image.convert("RGB"), (width, height)))
    samplers: dict[str, dict[str, int]] = {"object-aware": {}, "grid": {"points_per_side": options.points_per_side}}
    rows: list[dict[str, object]] = []
    for dtype in number_formats(options.model):
        segmenter = mobilesamv2.load(options.model, device="cpu", dtype=dtype)
        for (name, picture), (sampler, choice) in product(pictures.items(), samplers.items()):
            runs = [
                segmenter.segment_everything(picture, sampler=sampler, **choice) for _ in range(options.rounds + 1)
            ][1:]
            seconds = {stage: round(statistics.median(run.timings[stage] for run in runs), 3) for stage in STAGES}
            rows.append(
                {
                    "number format": str(dtype).removeprefix("torch."),
                    "photo": name,
                    "sampler": sampler,
                    "prompts": len(runs[0].prompts),
                    "masks": len(runs[0].masks),
                    "total_seconds": round(statistics.median(run.seconds for run in runs), 3),
                    **seconds,
                }
            )
    report("seconds_per_photo", rows, into=options.into)


if __name__ == "__main__":
    main()
