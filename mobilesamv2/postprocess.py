"""From the decoder's answers to masks: made compact, tied to the prompts they answer, filtered."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .filters import KEEP_ALL, MaskFilters, passes_thresholds
from .geometry import ResizeLongestSide
from .ops.masks import compact_masks
from .stopwatch import Stopwatch
from .types import Floats, Ints, Masks, Prompts


def all_masks(logits: Tensor, iou: Tensor, resize: ResizeLongestSide, *, prompts: Prompts, first: int) -> Masks:
    """Every mask of a chunk, prompt by prompt.

    Args:
        logits: (N, M, h, w), M answers to each prompt of the chunk.
        iou: (N, M), their predicted IoUs.
        resize: where the picture lies in the model's input.
        prompts: of the whole round.
        first: which of them the chunk begins with.
    """
    owners = _owners(logits, first)
    return _compact(logits.flatten(0, 1), iou.flatten(), resize, owners, prompts, stability_offset=1.0)


@torch.inference_mode()
def kept_masks(
    logits: Tensor,
    iou: Tensor,
    resize: ResizeLongestSide,
    *,
    prompts: Prompts,
    first: int,
    filters: MaskFilters,
    watch: Stopwatch,
) -> Masks:
    """The masks of a chunk that pass the filters, but for `box_nms`; masks without a pixel never do.

    Takes what `all_masks` takes, and a stopwatch for the stages "filter" and "postprocess".
    """
    with watch.stage("filter"):
        if filters.points_only and prompts.boxes_xyxy is not None and prompts.scores is not None:
            filters = KEEP_ALL.instead_of(filters)
        owners = _owners(logits, first)
        logits, iou = logits.flatten(0, 1), iou.flatten()
        if filters.predicted_iou is not None:  # before the work of enlarging them
            good = iou > filters.predicted_iou
            logits, iou, owners = logits[good], iou[good], owners[good.cpu().numpy()]
    with watch.stage("postprocess"):
        masks = _compact(logits, iou, resize, owners, prompts, stability_offset=filters.stability_offset)
    with watch.stage("filter"):
        return masks.select(passes_thresholds(masks, filters))


def _owners(logits: Tensor, first: int) -> Ints:
    """int64 (N * M,): which prompt of the round each mask of (N, M, h, w) answers."""
    return first + np.repeat(np.arange(len(logits), dtype=np.int64), logits.shape[1])


def _compact(
    logits: Tensor,
    iou: Tensor,
    resize: ResizeLongestSide,
    owners: Ints,
    prompts: Prompts,
    *,
    stability_offset: float,
) -> Masks:
    """Masks from logits (K, h, w) and predicted IoUs (K,)."""
    compact = compact_masks(logits, resize, stability_offset=stability_offset)
    predicted: Floats = iou.float().cpu().numpy()
    detector_scores = np.full(len(owners), np.nan, dtype=np.float32)
    scores = predicted
    if prompts.scores is not None:
        scores = prompts.scores[owners]
        if prompts.boxes_xyxy is None:  # a point is ambiguous: which of its masks is meant, only the decoder tells
            scores = scores * predicted
        else:
            detector_scores = scores
    return Masks(
        size_hw=resize.size_hw,
        rles=compact.rles,
        scores=scores,
        boxes_xyxy=compact.boxes_xyxy,
        predicted_iou=predicted,
        stability=compact.stability,
        detector_scores=detector_scores,
        prompt_index=owners,
    )
