"""Measures `nano` on pictures that it was not trained on: by size of the object, along outlines, and without its parts.

    python -m training.segmenter_study --data DATA [--sets val small] [--without imagenet]

Prints one row per set and size: the mean IoU of the mask for the true box, its boundary IoU (arXiv 2103.16562, a band
of 2 % of the picture's diagonal), the mean IoU of the best of three masks for the object's innermost point, of the one
with the highest predicted IoU, and the correlation of the predicted IoU with the true one for boxes.

`--without` takes a part away from the trained network, which was trained with it: what is lost is an upper bound of
what the part gives. `imagenet`: what EfficientNet-Lite0 sees. `scales`: coarser
features for large windows.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import torch

import mobilesamv2
from mobilesamv2.evaluate.prompted import best_iou_per_prompt, innermost_point, pairwise_iou
from mobilesamv2.models.nano import windows
from mobilesamv2.models.nano.model import NanoModel
from mobilesamv2.ops.rle import decode_rle
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Bools, Floats, Masks, Rle

from .coco_data import LabelledPicture
from .detector_data import KeptOut, measuring_pictures

SIZES = {"all": (0.0, 1.0), "below 0.4 %": (0.0, 0.004), "to 3 %": (0.004, 0.03), "larger": (0.03, 1.0)}
"""Shares of the picture that an object's mask covers."""
MASKS_AT_MOST = 20
"""Of a picture; more are drawn at random."""
PARTS = ("imagenet", "scales")


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of N objects, float32 (N,) each.

    Args:
        share: of the picture that the object covers.
        box: IoU of the mask for its true box.
        boundary: boundary IoU of the same.
        predicted: IoU that the model predicts for the same.
        point: IoU of the best of three masks for its innermost point.
        chosen: IoU of that of the three with the highest predicted IoU.
    """

    share: Floats
    box: Floats
    boundary: Floats
    predicted: Floats
    point: Floats
    chosen: Floats


def measure(segmenter: Segmenter, picture: LabelledPicture) -> Measured:
    """Ask for up to `MASKS_AT_MOST` labelled masks of a picture, by true boxes and by points."""
    rng = np.random.default_rng(len(picture.masks))
    index = rng.permutation(picture.masked)[:MASKS_AT_MOST]
    truth = [mask for mask in (picture.masks[row] for row in index) if mask is not None]
    embedding = segmenter.encode(picture.path)
    by_box = segmenter.predict(embedding, boxes=picture.boxes_xyxy[index])
    points = np.stack([innermost_point(mask) for mask in truth])[:, None]
    by_point = segmenter.predict(embedding, points=points, multimask=True)
    chosen = by_point.select(3 * np.arange(len(truth)) + by_point.predicted_iou.reshape(-1, 3).argmax(1))
    return Measured(
        share=np.array([decode_rle(mask).mean() for mask in truth], dtype=np.float32),
        box=pairwise_iou(truth, by_box.rles),
        boundary=_boundary_iou(truth, by_box),
        predicted=by_box.predicted_iou,
        point=best_iou_per_prompt(truth, by_point),
        chosen=pairwise_iou(truth, chosen.rles),
    )


def _boundary_iou(truth: list[Rle], answers: Masks) -> Floats:
    bands = [(_boundary(decode_rle(mask)), _boundary(answer)) for mask, answer in zip(truth, answers, strict=True)]
    return np.array([(one & other).sum() / max(1, (one | other).sum()) for one, other in bands], dtype=np.float32)


def _boundary(mask: Bools) -> Bools:
    """The pixels of a mask that are near to leaving it."""
    width = max(1, round(0.02 * float(np.hypot(*mask.shape))))
    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return np.asarray(mask & (inner == 0))


def without(model: NanoModel, part: str) -> None:
    """Take a part away from a model, in place."""
    encoder = model.image_encoder
    if part == "imagenet":
        silenced = [*encoder.pretrained_laterals, encoder.pretrained_context, encoder.wide_laterals[2]]
    else:
        windows.SCALES = 1
        return
    with torch.no_grad():
        for parameter in (parameter for layer in silenced for parameter in layer.parameters()):
            parameter.zero_()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the embedded segmentation model.")
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--sets", nargs="+", choices=get_args(KeptOut), default=["val", "small"])
    parser.add_argument("--without", nargs="+", choices=PARTS, default=[])
    parser.add_argument("--limit", type=int, help="of pictures in each set")
    parser.add_argument("--weights", type=Path, help="other weights than the package's")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="number format")
    options = parser.parse_args()
    segmenter = mobilesamv2.load("nano", weights=options.weights, dtype=getattr(torch, options.dtype))
    assert isinstance(segmenter.sam, NanoModel)
    for part in options.without:
        without(segmenter.sam, part)
    print("set      size         objects       box  boundary     point    chosen  correlation")
    for name in options.sets:
        pictures = [picture for picture in measuring_pictures(options.data, name) if len(picture.masked)]
        found = [measure(segmenter, picture) for picture in pictures[: options.limit]]
        table = {field: np.concatenate([getattr(one, field) for one in found]) for field in vars(found[0])}
        for size, (low, high) in SIZES.items():
            rows = (table["share"] >= low) & (table["share"] < high)
            means = [float(table[field][rows].mean()) for field in ("box", "boundary", "point", "chosen")]
            related = float(np.corrcoef(table["box"][rows], table["predicted"][rows])[0, 1])
            row = f"{name:8} {size:12} {rows.sum():7} " + " ".join(f"{mean:9.3f}" for mean in means)
            print(f"{row} {related:12.2f}", flush=True)


if __name__ == "__main__":
    main()
