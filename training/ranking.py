"""By what the masks of object-aware sampling are best ranked.

    python -m training.ranking --data DATA [--model nano] [--limit 40]

Prints AR@10 and AR@100 on the `val` pictures when masks are ranked by the detector's confidence in their box, by their
predicted IoU, by the product of both, and by that of the confidence and the square root of the predicted IoU.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

import mobilesamv2
from mobilesamv2.evaluate.average_recall import match, recall_table
from mobilesamv2.evaluate.datasets import read_coco
from mobilesamv2.types import Floats, Masks

MAX_MASKS = (10, 100)


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
    found: dict[str, list[dict[str, object]]] = {}
    for photograph in read_coco(options.data / "annotations.json", split="val")[: options.limit]:
        masks = segmenter.segment_everything(photograph.path).masks
        for name, scores in rankings(masks).items():
            ranked = dataclasses.replace(masks, scores=scores.astype(np.float32))
            found.setdefault(name, []).append(match(photograph.rles, ranked, max_masks=max(MAX_MASKS)))
    for name, matches in found.items():
        row = recall_table(matches, max_masks=MAX_MASKS)
        print(f"{name:36}", {key: value for key, value in row.items() if key.startswith("AR@")})


if __name__ == "__main__":
    main()
