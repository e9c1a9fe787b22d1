"""Segmenting everything in 1024 x 768 pixels with MobileSAM's architecture, beside the same steps with Ultralytics'.

    python -m benchmarks.pipeline [--boxes 100] [--points-per-side 32] [--rounds 3] [--threads 2]

The peer encodes the picture, decodes 64 prompts at a time as SAM's generator does, enlarges and thresholds the masks,
and encodes them with pycocotools; for grid search it filters by predicted IoU and stability first, and removes
duplicates at the end. Both get the same synthetic weights; so the threshold of predicted IoU is put where a fiftieth of
the answers to points passes, as with trained ones. Few of these are stable. Boxes are given: the detector is the same
for both, and not timed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.models.detector.detector import Detections
from mobilesamv2.models.preprocess import to_input
from mobilesamv2.ops.boxes import inclusive_boxes
from mobilesamv2.ops.nms import nms
from mobilesamv2.prompts import GridSampler, MaskFilters, ObjectAwareSampler
from mobilesamv2.segmenter import Segmenter
from mobilesamv2.types import Picture, Rle

from .harness import paired, parser_of, report
from .peers import our_mobile_sam, random_boxes, their_masks, their_mobile_sam

SIZE_WH = (1024, 768)
FRAME = ResizeLongestSide((SIZE_WH[1], SIZE_WH[0]), 1024)
BATCH = 64


class GivenBoxes:
    """A detector that finds the same boxes in any picture."""

    def __init__(self, boxes_xyxy: Tensor) -> None:
        self.found = Detections(
            boxes_xyxy=boxes_xyxy.numpy(),
            scores=np.linspace(1, 0.5, len(boxes_xyxy), dtype=np.float32),
        )

    def detect(self, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int) -> Detections:
        return self.found


def smooth_picture(*, seed: int = 0) -> Picture:
    """A picture with structure at several scales."""
    generator = torch.Generator().manual_seed(seed)
    picture = sum(
        F.interpolate(torch.randn(1, 3, side, side, generator=generator), (SIZE_WH[1], SIZE_WH[0]), mode="bicubic")
        for side in (4, 16, 64)
    )
    scaled = (128 + 40 * torch.as_tensor(picture)[0]).clamp(0, 255)
    return np.ascontiguousarray(scaled.to(torch.uint8).permute(1, 2, 0).numpy())


def their_everything(
    sam: Any, picture: Picture, batches: Sequence[dict[str, Any]], filters: MaskFilters, *, multimask: bool
) -> list[Rle]:
    """The same steps with Ultralytics' modules, whole masks and pycocotools."""
    embedding = sam.image_encoder(to_input(picture, FRAME))
    rles: list[Rle] = []
    ious: list[Tensor] = []
    boxes: list[Tensor] = []
    for prompts in batches:
        logits, iou = their_masks(sam, embedding, multimask=multimask, **prompts)
        logits, iou = logits.flatten(0, 1), iou.flatten()
        if filters.predicted_iou is not None:
            logits, iou = logits[iou > filters.predicted_iou], iou[iou > filters.predicted_iou]
        height, width = FRAME.resized_hw
        whole = F.interpolate(logits[:, None], (1024, 1024), mode="bilinear")[..., :height, :width]
        whole = F.interpolate(whole, FRAME.size_hw, mode="bilinear")[:, 0]
        if filters.stability is not None:
            stability = (whole > 1).sum((1, 2)) / (whole > -1).sum((1, 2))
            whole, iou = whole[stability >= filters.stability], iou[stability >= filters.stability]
        for mask, score in zip((whole > 0).numpy(), iou, strict=True):
            if mask.any():
                rles.append(coco_mask.encode(np.asfortranarray(mask.view(np.uint8))))
                ious.append(score)
                x, y, w, h = coco_mask.toBbox(rles[-1])
                boxes.append(torch.tensor([x, y, x + w, y + h]))
    if filters.box_nms is None or not rles:
        return rles
    flat = torch.from_numpy(inclusive_boxes(torch.stack(boxes).float().numpy()))
    kept = nms(flat, torch.stack(ious), filters.box_nms)
    return [rles[int(index)] for index in kept]


def main() -> None:
    parser = parser_of("Time the whole way beside Ultralytics' modules.", "pipeline", rounds=3)
    parser.add_argument("--boxes", type=int, default=100)
    parser.add_argument("--points-per-side", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sam, theirs, picture = our_mobile_sam(), their_mobile_sam(), smooth_picture()
    boxes = random_boxes(options.boxes, size_wh=SIZE_WH)
    detector = GivenBoxes(boxes)
    segmenter = Segmenter(sam, name="mobilesam", detector=detector)
    embedding = segmenter.encode(picture)
    grid = GridSampler(points_per_side=options.points_per_side, filters=MaskFilters())
    (asked,) = grid.rounds(picture)
    points, labels = asked.points, asked.labels
    assert points is not None
    assert labels is not None
    _, iou = segmenter.decode_logits(embedding, points=points, labels=labels, multimask=True)
    filters = MaskFilters(predicted_iou=float(iou.flatten().quantile(0.98)), stability=0.5, box_nms=0.7)
    in_input = torch.from_numpy(FRAME.points_to_input(points)).float(), torch.from_numpy(labels)
    cases: list[tuple[str, int, Callable[[], Any], Callable[[], list[Rle]]]] = [
        (
            "object-aware",
            len(boxes),
            lambda: segmenter.segment_everything(
                picture, sampler=ObjectAwareSampler(detector=detector, max_prompts=len(boxes))
            ),
            lambda: their_everything(
                theirs,
                picture,
                [
                    {"boxes": some}
                    for some in torch.from_numpy(FRAME.boxes_to_input(boxes.numpy())).float().split(BATCH)
                ],
                MaskFilters(),
                multimask=False,
            ),
        ),
        (
            f"grid {options.points_per_side} x {options.points_per_side}",
            len(points),
            lambda: segmenter.segment_everything(
                picture, sampler=GridSampler(points_per_side=options.points_per_side, filters=filters)
            ),
            lambda: their_everything(
                theirs,
                picture,
                [{"points": part} for part in zip(in_input[0].split(BATCH), in_input[1].split(BATCH), strict=True)],
                filters,
                multimask=True,
            ),
        ),
    ]
    rows: list[dict[str, object]] = []
    for name, prompts, ours, peer in cases:
        result, their_rles = ours(), []
        with torch.inference_mode():
            their_rles = peer()
            found = paired(ours, peer, rounds=options.rounds, warm_up=0)  # both have just run
        overlap = coco_mask.iou(list(result.masks.rles), their_rles, [0] * len(their_rles))
        rows.append(
            {
                "sampler": name,
                "prompts": prompts,
                "ours, s": found.first_seconds,
                "ultralytics' modules, s": found.second_seconds,
                "times faster": found.ratio,
                "masks": len(result.masks),
                "theirs": len(their_rles),
                "mean IoU of each of ours with its best of theirs": float(np.max(overlap, axis=1).mean()),
            }
        )
    report("pipeline", rows, into=options.into)


if __name__ == "__main__":
    main()
