"""By what the masks of object-aware sampling are best ranked.

    python -m training.ranking --data DATA [--model nano] [--limit 40]

Prints average recall, AR@K by K, on the `val` pictures when masks are ranked by the detector's confidence in their box,
by their predicted IoU, by the product of both, and by that of the confidence and the square root of the predicted IoU.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mobilesamv2
from mobilesamv2.evaluate.datasets import read_dataset
from mobilesamv2.evaluate.recall import Found, find, total
from mobilesamv2.types import Floats, Masks


def rankings(masks: Masks) -> dict[str, Floats]:
    """What masks may be ranked by."""
    confidence, iou = masks.detector_scores, np.clip(masks.predicted_iou, 0, 1)
    return {
        "confidence": confidence,
        "predicted IoU": iou,
        "product": confidence * iou,
        "confidence, root of predicted IoU": confidence * np.sqrt(iou),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Find what ranks masks best.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    segmenter = mobilesamv2.load(options.model)
    found: dict[str, list[dict[str, Found]]] = {}
    for photograph in read_dataset(options.data, split="val").photographs[: options.limit]:
        masks, truth = segmenter.segment_everything(photograph.path).masks, photograph.objects()
        for name, scores in rankings(masks).items():
            found.setdefault(name, []).append(find("segm", truth, masks.rles, scores.astype(np.float32)))
    for name, pictures in found.items():
        print(f"{name:36}", total(pictures)["all"].average_recall())


if __name__ == "__main__":
    main()
