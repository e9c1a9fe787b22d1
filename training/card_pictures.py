"""Draws the pictures of the model cards: what the embedded models answer on photographs that training never saw.

    python -m training.card_pictures

Writes `weights/pictures/nano.jpg` and `weights/pictures/nano-objects.jpg`. The photographs are those of
`examples/images`; authors and licences are in `examples/CREDITS.md`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import mobilesamv2
from mobilesamv2.images import load_image
from mobilesamv2.render import draw_prompts, fit_within, overlay
from mobilesamv2.types import Picture

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ("coffee.png", "astronaut.jpg", "pavilion.jpg")
HEIGHT = 360
GAP = 8
MOST_BOXES = 40
"""Boxes drawn: the surest, for more would hide the photograph."""


def main() -> None:
    segmenter = mobilesamv2.load("nano")
    answered, asked = [], []
    for name in PHOTOS:
        picture = load_image(ROOT / "examples" / "images" / name)
        size_hw = picture.shape[0], picture.shape[1]
        small = fit_within(picture, round(HEIGHT * max(size_hw) / size_hw[0]))
        result = segmenter.segment_everything(picture, sampler="object-aware", max_prompts=320)
        surest = segmenter.segment_everything(picture, sampler="object-aware", max_prompts=MOST_BOXES)
        answered.append(overlay(small, result.masks))
        asked.append(draw_prompts(small, surest.prompts, size_hw=size_hw))
    for model, pictures in (("nano", answered), ("nano-objects", asked)):
        path = ROOT / "weights" / "pictures" / f"{model}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(_in_a_row(pictures)).save(path, quality=85)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def _in_a_row(pictures: list[Picture]) -> Picture:
    """Side by side on white, all as high as the lowest."""
    height = min(len(picture) for picture in pictures)
    gap = np.full((height, GAP, 3), 255, dtype=np.uint8)
    row = [part for picture in pictures for part in (picture[:height], gap)]
    return np.concatenate(row[:-1], axis=1)


if __name__ == "__main__":
    main()
