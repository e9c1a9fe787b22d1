"""Seconds per photo and stage for both samplers, on this machine.

    python -m benchmarks.seconds_per_photo PHOTO... [--model nano] [--size 640x480] [--repeat 3]

Each photo is scaled and cropped to the size, run once to warm up and then `repeat` times; medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import mobilesamv2
from mobilesamv2.types import STAGES


def main() -> None:
    parser = argparse.ArgumentParser(description="Time both samplers on some photos.")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--size", default="640x480", help="width x height in pixels")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--points-per-side", type=int, default=32)
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    segmenter = mobilesamv2.load(options.model)
    print(
        f"{options.model} on {segmenter.device_description}, {width} x {height}, median of {options.repeat}"
    )
    print(f"{'photo':16}{'sampler':14}{'prompts':>8}{'masks':>7}{'seconds':>9}  per stage")
    for photo in options.photos:
        with Image.open(photo) as image:
            picture = np.asarray(ImageOps.fit(image.convert("RGB"), (width, height)))
        for sampler, choice in (
            ("object-aware", {}),
            ("grid", {"points_per_side": options.points_per_side}),
        ):
            runs = [
                segmenter.segment_everything(picture, sampler=sampler, **choice)
                for _ in range(options.repeat + 1)
            ][1:]
            seconds = statistics.median(run.seconds for run in runs)
            stages = ", ".join(
                f"{stage} {statistics.median(run.timings[stage] for run in runs):.2f}" for stage in STAGES
            )
            print(
                f"{photo.stem:16.16}{sampler:14}{len(runs[0].prompts):8}{len(runs[0].masks):7}{seconds:9.2f}  {stages}",
                flush=True,
            )


if __name__ == "__main__":
    main()
