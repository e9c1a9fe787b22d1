"""Which masks are kept: thresholds, overlap of boxes and of masks, nesting, flattening. Knows nothing of models."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from .errors import PromptError
from .nesting import nested
from .ops.boxes import inclusive_boxes
from .ops.nms import nms
from .ops.overlaps import box_overlaps, shares
from .ops.rle import box_of_runs, encode_runs, window_runs
from .ops.specks import without_specks
from .types import Bools, Ints, Masks


@dataclass(frozen=True)
class MaskFilters:
    """What a sampler keeps of the masks it gets. The defaults keep everything that has a pixel.

    Args:
        predicted_iou: keep masks whose predicted IoU is above this; None: all.
        stability: keep masks whose stability score is at least this; None: all.
        stability_offset: how far the threshold moves up and down for the stability score, in logits.
        box_nms: of masks whose boxes overlap with an IoU above this keep the one with the highest predicted IoU; None:
            all.
        mask_nms: the same of masks that overlap themselves.
        points_only: all of this is for masks of points: those that a detector's box gave (`Masks.detector_scores`)
            stay, and a mask of a point that repeats one of them goes.
    """

    predicted_iou: float | None = None
    stability: float | None = None
    stability_offset: float = 1.0
    box_nms: float | None = None
    mask_nms: float | None = None
    points_only: bool = False

    def instead_of(self, own: MaskFilters) -> MaskFilters:
        """These in place of a sampler's `own`; without a threshold, stability is measured as `own` measures it."""
        return self if self.stability is not None else replace(self, stability_offset=own.stability_offset)


@dataclass(frozen=True)
class ViewFilters:
    """What to leave out of a finished result. The defaults leave everything in.

    Args:
        clean: islands of a mask and holes in it of fewer pixels than this go first; 0: they stay.
        min_area: pixels that a mask must have at least.
        min_area_percent: the same in percent of the picture, 0 to 100.
        min_predicted_iou, min_stability: what a mask must reach; where one is above 0, NaN fails.
        mask_nms: of masks that overlap with an IoU above this keep the best ranked one; None or 1: all.
        hide_nested: leave out masks that lie within a larger one that stays.
        flatten: give each pixel to one mask, smaller masks on larger ones, and leave out masks that are hidden.

    Raises:
        PromptError: if a number is out of range.
    """

    clean: int = 0
    min_area: int = 0
    min_area_percent: float = 0.0
    min_predicted_iou: float = 0.0
    min_stability: float = 0.0
    mask_nms: float | None = None
    hide_nested: bool = False
    flatten: bool = False

    def __post_init__(self) -> None:
        if self.min_area < 0:
            raise PromptError(f"The smallest area must not be negative; got {self.min_area} pixels.")
        if self.clean < 0:
            raise PromptError(f"clean must not be negative; got {self.clean} pixels.")
        if not 0 <= self.min_area_percent <= 100:
            raise PromptError(f"min_area_percent must lie within 0 to 100; got {self.min_area_percent}.")
        shares = {
            "min_predicted_iou": self.min_predicted_iou,
            "min_stability": self.min_stability,
            "mask_nms": 1.0 if self.mask_nms is None else self.mask_nms,
        }
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise PromptError(f"{name} must lie within 0 to 1; got {value}.")


KEEP_ALL, SHOW_ALL = MaskFilters(), ViewFilters()


def apply_filters(masks: Masks, filters: MaskFilters = KEEP_ALL, view: ViewFilters = SHOW_ALL) -> tuple[Masks, Ints]:
    """Filter masks that were decoded already, as a run with these filters would have.

    Args:
        masks: everything that was decoded, with the stability of `filters.stability_offset`, in the order of prompts.
        filters: the sampler's.
        view: what else is left out.

    Returns:
        The masks that stay, best first; and int64, which of the given ones they are.
    """
    kept = np.flatnonzero(passes_thresholds(masks, filters))
    kept = kept[without_duplicates(masks.select(kept), filters)]
    kept = kept[np.argsort(-masks.scores[kept], kind="stable")]
    shown = masks.select(kept)
    if view.clean:
        shown = cleaned(shown, view.clean)
    visible = in_view(shown, view)
    shown, kept = shown.select(visible), kept[visible]
    if view.flatten:
        shown, visible = without_overlaps(shown)
        kept = kept[visible]
    return shown, kept


def passes_thresholds(masks: Masks, filters: MaskFilters) -> Bools:
    """Which masks have a pixel and the scores that `filters` want: bool (N,). NaN fails."""
    passes = np.ones(len(masks), dtype=np.bool_)
    if filters.predicted_iou is not None:
        passes &= masks.predicted_iou > filters.predicted_iou
    if filters.stability is not None:
        passes &= masks.stability >= filters.stability
    return (passes | _spared(masks, filters)) & (masks.areas > 0)


def without_duplicates(masks: Masks, filters: MaskFilters) -> Ints:
    """Of masks that repeat each other by `box_nms` or `mask_nms`, the one with the highest predicted IoU.

    Returns:
        int64, the masks that stay, those with the highest predicted IoU first; all in their order without either.
    """
    if (filters.box_nms is None and filters.mask_nms is None) or len(masks) == 0:
        return np.arange(len(masks))
    spared = _spared(masks, filters)
    rank = np.where(spared, np.float32(np.inf), masks.predicted_iou)
    kept: Ints = np.argsort(-rank, kind="stable")
    if filters.box_nms is not None:
        boxes = torch.from_numpy(inclusive_boxes(masks.boxes_xyxy))  # as SAM takes them
        kept = nms(boxes, torch.from_numpy(rank), filters.box_nms).numpy()
        kept = np.concatenate([np.flatnonzero(spared), kept[~spared[kept]]])
    if filters.mask_nms is not None:
        kept = kept[without_repeats(masks.select(kept), filters.mask_nms, spared=int(spared.sum()))]
    return kept


def _spared(masks: Masks, filters: MaskFilters) -> Bools:
    """Which masks `filters` are not for: bool (N,)."""
    spared: Bools = np.isfinite(masks.detector_scores) & filters.points_only
    return spared


def in_view(masks: Masks, view: ViewFilters) -> Ints:
    """Which masks `view` leaves in, before it flattens them: int64, rising.

    Args:
        masks: N masks, best first: of two that repeat each other the earlier one stays.
    """
    stays = np.ones(len(masks), dtype=np.bool_)
    share = view.min_area_percent / 100 * masks.size_hw[0] * masks.size_hw[1]
    if (least := max(view.min_area, math.ceil(share - 1e-6))) > 0:
        stays &= masks.areas >= least
    if view.min_predicted_iou > 0:
        stays &= masks.predicted_iou >= view.min_predicted_iou  # NaN fails
    if view.min_stability > 0:
        stays &= masks.stability >= view.min_stability
    kept = np.flatnonzero(stays)
    if view.mask_nms is not None and view.mask_nms < 1:
        kept = kept[without_repeats(masks.select(kept), view.mask_nms)]
    if view.hide_nested:
        kept = kept[~nested(masks.select(kept))]
    return kept


def without_repeats(masks: Masks, iou: float, *, spared: int = 0) -> Ints:
    """Greedy non-maximum suppression by the IoU of masks, the first mask first: rising indices of those that stay.

    Args:
        spared: so many of the first masks stay in any case.
    """
    areas = masks.areas.astype(np.float64)
    stays = np.ones(len(masks), dtype=np.bool_)
    for index in range(len(masks)):
        if not stays[index]:
            continue
        begin = max(index + 1, spared)
        later = begin + np.flatnonzero(stays[begin:])
        overlap = box_overlaps(masks.boxes_xyxy, index, later)
        larger = np.maximum(areas[later], areas[index])
        # The intersection is no larger than that of the boxes, the union no smaller than the larger mask.
        possible = later[(overlap > 0) & (np.minimum(overlap, larger) > iou * larger)]
        stays[possible[shares(masks.rles, possible, index, of_union=True) > iou]] = False
    return np.flatnonzero(stays)


def cleaned(masks: Masks, pixels: int) -> Masks:
    """The same masks without islands and holes of fewer than `pixels`; a mask's largest island always stays."""
    return _redrawn(masks, (without_specks(masks.window(index), pixels) for index in range(len(masks))))


def without_overlaps(masks: Masks) -> tuple[Masks, Ints]:
    """Give each pixel to one mask, as `Masks.label_map` does: smaller masks lie on larger ones.

    Returns:
        the masks that still have a pixel, with their new boxes and otherwise as they were; and int64, rising: which
        of the given ones they are.
    """
    labels, boxes = masks.label_map(), masks.boxes_xyxy.astype(int)
    seen = (labels[y0:y1, x0:x1] == index for index, (x0, y0, x1, y1) in enumerate(boxes, start=1))
    apart = _redrawn(masks, seen)
    kept = np.flatnonzero(apart.areas)
    return apart.select(kept), kept


def _redrawn(masks: Masks, windows: Iterable[Bools]) -> Masks:
    """The same masks with other pixels inside their boxes: `windows` are of the boxes' shapes."""
    height, rles, boxes = masks.size_hw[0], [], []
    for box, window in zip(masks.boxes_xyxy, windows, strict=True):
        runs = window_runs(window, origin_yx=(int(box[1]), int(box[0])), height=height)
        rles.append(encode_runs(runs, size_hw=masks.size_hw))
        boxes.append(box_of_runs(runs, height=height))
    return replace(masks, rles=tuple(rles), boxes_xyxy=np.asarray(boxes, dtype=np.float32).reshape(-1, 4))
