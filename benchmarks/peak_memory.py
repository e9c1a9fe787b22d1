"""Peak memory of segmenting everything in a 12-megapixel picture with 320 boxes.

    python -m benchmarks.peak_memory [--model mobilesam] [--boxes 320] [--megapixels 12] [--threads 2]

Weights do not change how much memory a model needs, so they are random and nothing is downloaded. The picture and
the boxes are random too: a third of the picture per box on average, far more than objects on photographs have.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

import numpy as np
import torch

from mobilesamv2 import zoo
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.models.nano.model import NanoConfig, NanoModel
from mobilesamv2.models.sam import Sam
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Picture

from .harness import parser_of, report


@dataclass
class RandomBoxes:
    """Finds `count` random boxes in any picture."""

    count: int

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        rng = np.random.default_rng(0)
        height, width = picture.shape[:2]
        corners = rng.uniform(0, 1, (min(self.count, max_boxes), 2, 2)) * [width, height]
        boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1).astype(np.float32)
        return Detections(boxes_xyxy=boxes, scores=np.linspace(1, 0.5, len(boxes), dtype=np.float32))


def peak_gigabytes() -> float:
    """The most memory this process has held so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    parser = parser_of("Measure the peak memory of one run.", "peak_memory")
    parser.add_argument("--model", default="mobilesam", choices=sorted(zoo.MODELS))
    parser.add_argument("--boxes", type=int, default=320)
    parser.add_argument("--megapixels", type=float, default=12)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    height = round((options.megapixels * 1e6 * 3 / 4) ** 0.5)
    picture = np.random.default_rng(1).integers(0, 255, (height, height * 4 // 3, 3), dtype=np.uint8)
    config = zoo.find_model(options.model).config
    network = NanoModel.from_config(config) if isinstance(config, NanoConfig) else Sam.from_config(config)
    segmenter = Segmenter(
        network.eval(),
        name=options.model,
        detector=RandomBoxes(options.boxes),
    )
    before = peak_gigabytes()
    result = segmenter.segment_everything(picture, max_prompts=options.boxes)
    row = {
        "model": options.model,
        "picture": f"{height * 4 // 3} x {height}",
        "prompts": len(result.prompts),
        "masks": len(result.masks),
        "peak memory, GB": peak_gigabytes(),
        "of it before the run, GB": before,
    }
    report("peak_memory", [row], into=options.into)


if __name__ == "__main__":
    main()
