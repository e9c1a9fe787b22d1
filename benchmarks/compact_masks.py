"""From low-resolution logits to compact masks of a 12-megapixel photo, beside the published way.

    python -m benchmarks.compact_masks [--masks 300] [--rounds 3] [--threads 2]

The published way enlarges each mask to the whole picture in two bilinear steps, thresholds and encodes it with
pycocotools; it does so here for one mask at a time, which is the fastest. Ours finds boxes, areas and stability too.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.ops.masks import compact_masks
from mobilesamv2.types import Rle

from .harness import paired, parser_of, report

FRAME = ResizeLongestSide((3000, 4000), 1024)
LOW_SIDE = 256


def objects(count: int, *, seed: int = 0) -> Tensor:
    """Logits (count, 256, 256) of wavy blobs with a little smooth noise, like those a decoder gives for objects.

    Radii are between a hundredth and a quarter of the picture's longer side, even on a logarithmic scale: half of the
    masks cover less than 1.1% of the photo, a twentieth of them more than 18%.
    """
    generator = torch.Generator().manual_seed(seed)
    x, y, size, turn, stretch = torch.rand(5, count, 1, 1, generator=generator)
    waves = torch.randint(2, 6, (count, 1, 1), generator=generator)
    down, right = torch.meshgrid(torch.arange(LOW_SIDE), torch.arange(LOW_SIDE), indexing="ij")
    height = LOW_SIDE * FRAME.resized_hw[0] / FRAME.input_side
    radius, aspect = 2.5 * 28**size, torch.exp(stretch - 0.5)
    down, right = (down - y * height) * aspect, (right - x * LOW_SIDE) / aspect
    angle = torch.atan2(down, right)
    edge = radius * (1 + 0.2 * torch.sin(waves * angle + 6 * turn) + 0.1 * torch.sin(2 * waves * angle + turn))
    inside: Tensor = (2.5 * (edge - torch.hypot(down, right))).clip(-14, 10)
    return inside + 0.5 * smooth_noise(count, cells=32, seed=seed)


def smooth_noise(count: int, *, cells: int, seed: int = 0) -> Tensor:
    """Logits of blots everywhere, which no decoder gives: the most edge that masks may have."""
    coarse = torch.randn(count, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(coarse, (LOW_SIDE, LOW_SIDE), mode="bicubic", align_corners=False).squeeze(1)


def plainly(logits: Tensor) -> list[Rle]:
    """The published way."""
    (height, width), side = FRAME.resized_hw, FRAME.input_side
    rles = []
    for low in logits[:, None, None]:
        square = F.interpolate(low, (side, side), mode="bilinear", align_corners=False)
        whole = F.interpolate(square[..., :height, :width], FRAME.size_hw, mode="bilinear", align_corners=False)
        rles.append(coco_mask.encode(np.asfortranarray((whole[0, 0] > 0).numpy().view(np.uint8))))
    return rles


def main() -> None:
    parser = parser_of("Time compact masks beside the published way.", "compact_masks", rounds=3)
    parser.add_argument("--masks", type=int, default=300)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows: list[dict[str, object]] = []
    for name, logits in (
        (f"{options.masks} objects of mixed sizes", objects(options.masks)),
        (f"{options.masks // 10} of blots everywhere", 4 * smooth_noise(options.masks // 10, cells=64)),
    ):
        with torch.inference_mode():
            ours, theirs = compact_masks(logits, FRAME), plainly(logits)
            found = paired(
                partial(compact_masks, logits, FRAME),
                partial(plainly, logits),
                rounds=options.rounds,
                warm_up=0,  # both have just run
            )
        shared = [coco_mask.iou([a], [b], [0])[0, 0] for a, b in zip(ours.rles, theirs, strict=True)]
        same = sum(a["counts"] == b["counts"] for a, b in zip(ours.rles, theirs, strict=True))
        rows.append(
            {
                "masks": name,
                "ours, ms a mask": 1e3 * found.first_seconds / len(logits),
                "published way, ms a mask": 1e3 * found.second_seconds / len(logits),
                "times faster": found.ratio,
                "mean IoU": float(np.mean(shared)),
                "identical to the byte": f"{same} of {len(logits)}",
                "median share of the photo": float(np.median(ours.areas)) / (3000 * 4000),
            }
        )
    report("compact_masks", rows, into=options.into)


if __name__ == "__main__":
    main()
