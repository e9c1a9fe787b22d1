"""How many small things are found in a very large drawn picture: looking at it whole, and in tiles.

    python -m benchmarks.tiles [--width 6000] [--coins 150] [--picture scene.jpg]

The scene is a photograph of the examples, enlarged, with discs of 24 to 96 pixels in colours of their own laid on a
jittered grid. A disc counts as found if a mask has an IoU of at least .5 with it, and as found well at .75.
Counts depend on nothing but the model; seconds are of this machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

import mobilesamv2
from mobilesamv2.ops.rle import encode_window
from mobilesamv2.types import Masks, Picture, Rle

from .harness import report

GROUND = Path(__file__).resolve().parents[1] / "examples" / "images" / "gravel.png"


def scene(width: int, coins: int, *, seed: int = 0) -> tuple[Picture, list[Rle]]:
    """A picture of `width` x two thirds of it, and the run lengths of the discs in it."""
    random = np.random.default_rng(seed)
    height = width * 2 // 3
    with Image.open(GROUND) as ground:
        picture = np.array(ground.convert("RGB").resize((width, height), Image.Resampling.BICUBIC))
    columns = int(np.ceil((coins * 1.5) ** 0.5))
    rows = -(-coins // columns)
    cell_x, cell_y = width / columns, height / rows
    rles = []
    for number in range(coins):
        row, column = divmod(number, columns)
        radius = float(random.uniform(12, 48))
        free = np.array([cell_x, cell_y]) / 2 - radius - 4
        x, y = (np.array([column + 0.5, row + 0.5]) * [cell_x, cell_y]) + random.uniform(-1, 1, 2) * free
        rles.append(_draw(picture, float(x), float(y), radius, random.integers(0, 256, 3)))
    return picture, rles


def _draw(picture: Picture, x: float, y: float, radius: float, colour: np.ndarray) -> Rle:
    """A disc with a little light from above and a soft edge; its run lengths."""
    top, left, side = int(y - radius) - 2, int(x - radius) - 2, int(2 * radius) + 5
    down, right = np.mgrid[top : top + side, left : left + side]
    distance = np.hypot(down - y, right - x)
    share = np.clip(radius + 0.5 - distance, 0, 1)[..., None]
    light = 1 + 0.25 * ((y - down) / radius)[..., None]
    place = picture[top : top + side, left : left + side]
    place[:] = np.clip(share * colour * light + (1 - share) * place, 0, 255).astype(np.uint8)
    place[:] = cv2.GaussianBlur(place, (3, 3), 0)
    size_hw = (picture.shape[0], picture.shape[1])
    return encode_window(distance <= radius, origin_yx=(top, left), size_hw=size_hw)


def found(masks: Masks, rles: list[Rle], iou: float) -> int:
    """How many of the shapes have a mask that overlaps with them at least so much."""
    if len(masks) == 0:
        return 0
    ious = np.asarray(coco_mask.iou(rles, list(masks.rles), [False] * len(masks)))
    return int((ious.max(axis=1) >= iou).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--width", type=int, default=6000, help="of the scene in pixels")
    parser.add_argument("--coins", type=int, default=150, help="discs in it")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--picture", type=Path, help="write the scene here, to look at")
    options = parser.parse_args()
    picture, rles = scene(options.width, options.coins)
    if options.picture is not None:
        Image.fromarray(picture).save(options.picture)
    model, rows = mobilesamv2.load(options.model), []
    for name, tiles in (("the whole picture", None), ("tiles of 1024", mobilesamv2.Tiles())):
        if tiles is None:
            result = model.segment_everything(picture)
        else:
            result = mobilesamv2.segment_in_tiles(model, picture, tiles=tiles)
        rows.append(
            {
                "what is looked at": name,
                "prompts": len(result.prompts),
                "masks": len(result.masks),
                f"of {len(rles)} discs found": found(result.masks, rles, 0.5),
                "found well": found(result.masks, rles, 0.75),
                "seconds": result.seconds,
            }
        )
    report("tiles", rows)


if __name__ == "__main__":
    main()
