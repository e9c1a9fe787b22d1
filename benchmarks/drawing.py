"""Overlay and label map of a large photograph, beside what the model takes to find its masks.

    python -m benchmarks.drawing [PHOTO...] [--size 8000x6000] [--rounds 3] [--threads 2]

Examples with few masks and with many are enlarged. Both files are drawn and packed as `mobilesamv2 segment` does.
Seconds are of the processor, of all its cores together: they depend little on what else the machine does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import mobilesamv2
from mobilesamv2.export.pictures import for_people, label_map_png, photo_file
from mobilesamv2.render import overlay
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Masks, Picture

from .harness import paired, parser_of, report
from .seconds_per_photo import EXAMPLES

PHOTOS = [EXAMPLES / name for name in ("cat.png", "brushes.jpg", "galaxies.jpg", "gravel.png")]


@dataclass
class Run:
    """One photograph: its masks are found, then drawn."""

    model: Segmenter
    picture: Picture
    masks: Masks

    def find(self) -> None:
        self.masks = self.model.segment_everything(self.picture).masks

    def draw(self) -> None:
        small = for_people(self.picture)
        is_large = small is not self.picture
        drawn = overlay(small, self.masks, out=small if is_large else None)
        photo_file(Image.fromarray(drawn), is_large=is_large)
        label_map_png(self.masks)


def main() -> None:
    parser = parser_of("Time overlay and label map beside the model.", "drawing", rounds=3)
    parser.add_argument("photos", nargs="*", type=Path, default=PHOTOS)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--size", default="8000x6000", help="width x height in pixels")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    width, height = (int(side) for side in options.size.split("x"))
    model = mobilesamv2.load(options.model)
    rows: list[dict[str, object]] = []
    for photo in options.photos:
        with Image.open(photo) as image:
            picture = np.array(image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
        run = Run(model, picture, Masks.empty((height, width)))
        times = paired(run.find, run.draw, rounds=options.rounds, clock=time.process_time)
        rows.append(
            {
                "photo": f"{photo.stem}, {width} x {height}",
                "masks": len(run.masks),
                "model, s of the processor": times.first_seconds,
                "overlay and label map, s": times.second_seconds,
                "share of the model's": times.ratio,
            }
        )
    report("drawing", rows, into=options.into)


if __name__ == "__main__":
    main()
