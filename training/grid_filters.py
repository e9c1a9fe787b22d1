"""Finds the filters of grid search that suit the embedded model, on training pictures.

    python -m training.grid_filters --data DATA [--pictures 16] [--points-per-side 16]

SAM's filters (predicted IoU above .88, stability of at least .95) suit SAM, whose masks are nearly always good. A small
model seldom predicts as much, rightly, and would keep next to nothing. What it should keep is what makes the F1 score
largest: the harmonic mean of the share of kept masks that meet a labelled region with an IoU of .5, and the share of
labelled regions that a kept mask meets. Only pictures with exhaustive labels count.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from pycocotools import mask as coco_mask

import mobilesamv2
from mobilesamv2.prompts import GridSampler, MaskFilters

from .coco_data import read_labels

IOU_STEPS = np.arange(0.2, 0.95, 0.025)
STABILITY_STEPS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description="Find grid search's filters for the embedded model.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--points-per-side", type=int, default=16)
    options = parser.parse_args()
    segmenter = mobilesamv2.load("nano")
    sampler = GridSampler(points_per_side=options.points_per_side, filters=MaskFilters(box_nms=0.7))
    pictures = read_labels(options.data, split="train", sources=["coco-panoptic"])[: options.pictures]
    found = []
    for picture in pictures:
        masks = segmenter.segment_everything(picture.path, sampler=sampler).masks
        labels = [picture.masks[index] for index in picture.masked]
        iou = np.asarray(coco_mask.iou(list(masks.rles), labels, [0] * len(labels)))  # (masks, labels)
        found.append((iou.reshape(len(masks), len(labels)) >= 0.5, masks.predicted_iou, masks.stability))
    rows = []
    for least_iou in IOU_STEPS:
        for least_stability in STABILITY_STEPS:
            kept_count = hits = met = labelled = 0
            for matches, predicted, stability in found:
                kept = matches[(predicted > least_iou) & (stability >= least_stability)]
                kept_count += len(kept)
                hits += int(kept.any(axis=1).sum())
                met += int(kept.any(axis=0).sum())
                labelled += matches.shape[1]
            precision, recall = hits / max(kept_count, 1), met / labelled
            f1 = 2 * precision * recall / max(precision + recall, 1e-9)
            rows.append((f1, least_iou, least_stability, precision, recall, kept_count / len(found)))
    print("   F1  predicted IoU  stability  precision  recall  masks per picture")
    for f1, least_iou, least_stability, precision, recall, number in sorted(rows, reverse=True)[:12]:
        numbers = f"{least_iou:13.3f}  {least_stability:9.2f}  {precision:9.3f}  {recall:6.3f}  {number:17.1f}"
        print(f"{f1:5.3f}  {numbers}")


if __name__ == "__main__":
    main()
