"""Joins the masks of overlapping windows of a picture where they show one object. Knows nothing of models.

What two windows both see, both should find: masks of one object agree there, masks of neighbours hardly overlap. So two
masks are parts of one object if they overlap enough within what both windows see, and if neither goes on where the
other one's window would have seen it and did not. Each mask has at most one partner in another window, so that a part
and the whole it lies on stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from .ops.rle import box_of_runs, encode_runs, encode_window, window_runs
from .types import Bools, Ints, Masks, Rle

Window = tuple[int, int, int, int]
"""x0 y0 x1 y1 in pixels of the picture, x1 and y1 one past the last."""
JOIN_IOU = 0.5
"""Masks are of one object if they overlap at least so much where both windows see: COCO's lowest threshold."""
_BEYOND = 0.1
"""Share of a mask that may lie beyond the other window without the other mask being cut by its edge."""
_EDGE = 1 / 64
"""Share of a window's side within which a mask counts as cut by its edge: masks are four times as coarse as pixels,
and end a little before the picture does."""
_WHOLLY = 0.95
"""Share of a fragment that another window must see, to know better."""


@dataclass(frozen=True, eq=False)
class WindowMasks:
    """What was found in one window.

    Args:
        window: where it is.
        masks: in pixels of the whole picture, all within the window.
        is_whole: whether the window is the whole picture, seen more coarsely than by the others.
    """

    window: Window
    masks: Masks
    is_whole: bool = False


def placed(masks: Masks, window: Window, size_hw: tuple[int, int]) -> Masks:
    """Masks of a window's own picture, in pixels of the whole picture of `size_hw`."""
    x0, y0 = window[:2]
    corners = [(int(box[1]) + y0, int(box[0]) + x0) for box in masks.boxes_xyxy]
    rles = tuple(
        encode_window(masks.window(index), origin_yx=corner, size_hw=size_hw) for index, corner in enumerate(corners)
    )
    offset = np.where(masks.areas[:, None] > 0, np.array([x0, y0, x0, y0]), 0)
    return replace(masks, size_hw=size_hw, rles=rles, boxes_xyxy=(masks.boxes_xyxy + offset).astype(np.float32))


def joined(parts: Sequence[WindowMasks]) -> Masks:
    """All masks of the windows, those of one object as one.

    Of a pixel that several windows see, the largest part decides; the whole picture only where no other window does. A
    joined mask has the scores and the prompt of its largest part. Fragments at the edge of a window go where another
    window sees all of them and has them within a mask.

    Args:
        parts: at least one; `prompt_index` of all of them points into one list.

    Returns:
        Masks in the order of their first part.
    """
    masks = Masks.concatenate([part.masks for part in parts])
    owner = np.repeat(np.arange(len(parts)), [len(part.masks) for part in parts])
    firsts = np.searchsorted(owner, np.arange(len(parts)))
    heads = np.arange(len(masks))
    fragments = np.zeros(len(masks), dtype=np.bool_)
    joined_to_tile = np.zeros(len(masks), dtype=np.bool_)
    for one, other in combinations(range(len(parts)), 2):
        if (pair := _Pair.of(parts[one], parts[other])) is None:
            continue
        indices = firsts[one] + pair.first, firsts[other] + pair.second
        for row, column in pair.partners():
            heads[heads == heads[indices[1][column]]] = heads[indices[0][row]]
            if not (parts[one].is_whole or parts[other].is_whole):
                joined_to_tile[[indices[0][row], indices[1][column]]] = True
        if not (parts[one].is_whole or parts[other].is_whole):
            for found, of_pair in zip(indices, pair.fragments(), strict=True):
                fragments[found[of_pair]] = True
    fragments &= ~joined_to_tile
    kept: list[int] = []
    rles, boxes = list(masks.rles), masks.boxes_xyxy.copy()
    areas = masks.areas
    for head in dict.fromkeys(heads[~fragments].tolist()):
        members = np.flatnonzero((heads == head) & ~fragments).tolist()
        ranked = sorted(members, key=lambda each: (parts[int(owner[each])].is_whole, -areas[each], each))
        kept.append(ranked[0])
        if len(ranked) > 1:
            windows = [parts[int(owner[each])].window for each in ranked]
            rles[ranked[0]], boxes[ranked[0]] = _union(masks.select(ranked), windows)
    return replace(masks, rles=tuple(rles), boxes_xyxy=boxes).select(kept)


@dataclass(frozen=True, eq=False)
class _Pair:
    """The masks of two windows that lie in what both see.

    Args:
        first, second: int64 (N,), (M,): which masks of each these are.
        overlaps: (N, M), pixels that they share.
        seen: of each window's masks, the pixels that both windows see.
        beyond: of each window's masks, the share that only its own window sees.
        cut: of each window's masks, whether they reach an edge of their window that is not the picture's.
        areas: of each window's masks.
    """

    first: Ints
    second: Ints
    overlaps: npt.NDArray[np.float64]
    seen: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    beyond: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    cut: tuple[Bools, Bools]
    areas: tuple[Ints, Ints]

    @classmethod
    def of(cls, one: WindowMasks, other: WindowMasks) -> _Pair | None:
        """What two windows have in common; None where that is nothing."""
        size_hw = one.masks.size_hw
        shared = _intersection(one.window, other.window)
        if shared[0] >= shared[2] or shared[1] >= shared[3]:
            return None
        first, second = (_touching(part.masks, shared) for part in (one, other))
        if len(first) == 0 or len(second) == 0:
            return None
        masks = one.masks.select(first), other.masks.select(second)
        areas = masks[0].areas, masks[1].areas
        rectangle = encode_window(
            np.ones((shared[3] - shared[1], shared[2] - shared[0]), dtype=np.bool_),
            origin_yx=(shared[1], shared[0]),
            size_hw=size_hw,
        )
        seen = tuple(_overlaps(each, (rectangle,), area)[:, 0] for each, area in zip(masks, areas, strict=True))
        cut = tuple(_is_cut(each, part.window, size_hw) for each, part in zip(masks, (one, other), strict=True))
        beyond = tuple(1 - inside / area for inside, area in zip(seen, areas, strict=True))
        return cls(
            first=first,
            second=second,
            overlaps=_overlaps(masks[0], masks[1].rles, areas[0]),
            seen=(seen[0], seen[1]),
            beyond=(beyond[0], beyond[1]),
            cut=(cut[0], cut[1]),
            areas=areas,
        )

    def partners(self) -> list[tuple[int, int]]:
        """Rows and columns of `overlaps` that are of one object: one to one, the best overlap first."""
        union = self.seen[0][:, None] + self.seen[1][None] - self.overlaps
        ious = self.overlaps / np.maximum(union, 1)
        # What goes on beyond the other window was seen there up to its edge.
        fits = ((self.beyond[0] <= _BEYOND)[:, None] | self.cut[1][None]) & (
            (self.beyond[1] <= _BEYOND)[None] | self.cut[0][:, None]
        )
        rows, columns = np.nonzero((ious >= JOIN_IOU) & fits)
        best_first = np.lexsort((columns, rows, -ious[rows, columns]))
        taken: tuple[set[int], set[int]] = (set(), set())
        pairs = []
        for row, column in zip(rows[best_first].tolist(), columns[best_first].tolist(), strict=True):
            if row not in taken[0] and column not in taken[1]:
                taken[0].add(row)
                taken[1].add(column)
                pairs.append((row, column))
        return pairs

    def fragments(self) -> tuple[Bools, Bools]:
        """Which masks of each are cut, while the other window sees all of them and has most of them in one mask."""
        most = self.overlaps.max(axis=1), self.overlaps.max(axis=0)
        first, second = (
            cut & (beyond <= 1 - _WHOLLY) & (covered >= 0.5 * area)
            for cut, beyond, covered, area in zip(self.cut, self.beyond, most, self.areas, strict=True)
        )
        return first, second


def _intersection(one: Window, other: Window) -> Window:
    return (
        max(one[0], other[0]),
        max(one[1], other[1]),
        min(one[2], other[2]),
        min(one[3], other[3]),
    )


def _touching(masks: Masks, window: Window) -> Ints:
    """Masks whose boxes have a pixel in a window; empty ones have none."""
    boxes = masks.boxes_xyxy
    low, high = np.maximum(boxes[:, :2], window[:2]), np.minimum(boxes[:, 2:], window[2:])
    return np.flatnonzero((low < high).all(axis=1))


def _overlaps(masks: Masks, others: Sequence[Rle], areas: Ints) -> npt.NDArray[np.float64]:
    """Pixels that each mask shares with each other one: (N, M)."""
    shares = coco_mask.iou(list(masks.rles), list(others), [True] * len(others))  # over the mask's own area
    return np.asarray(shares, dtype=np.float64).reshape(len(masks), len(others)) * areas[:, None]


def _is_cut(masks: Masks, window: Window, size_hw: tuple[int, int]) -> Bools:
    """Which masks reach an edge of their window that is not an edge of the picture."""
    x0, y0, x1, y1 = window
    near = max(1.0, _EDGE * max(x1 - x0, y1 - y0))
    boxes = masks.boxes_xyxy
    reaches = np.stack(
        [
            (boxes[:, 0] < x0 + near) & (x0 > 0),
            (boxes[:, 1] < y0 + near) & (y0 > 0),
            (boxes[:, 2] > x1 - near) & (x1 < size_hw[1]),
            (boxes[:, 3] > y1 - near) & (y1 < size_hw[0]),
        ]
    )
    return np.asarray(reaches.any(axis=0))


def _union(masks: Masks, windows: Sequence[Window]) -> tuple[Rle, npt.NDArray[np.float32]]:
    """One mask of several, and its box: each pixel is decided by the first of their windows that sees it."""
    height = masks.size_hw[0]
    x0, y0 = (int(edge) for edge in masks.boxes_xyxy[:, :2].min(axis=0))
    x1, y1 = (int(edge) for edge in masks.boxes_xyxy[:, 2:].max(axis=0))
    canvas = np.zeros((y1 - y0, x1 - x0), dtype=np.bool_)
    for index in range(len(masks)):
        left, top, right, bottom = (int(edge) for edge in masks.boxes_xyxy[index])
        part = masks.window(index).copy()
        for seen in windows[:index]:
            part[max(0, seen[1] - top) : max(0, seen[3] - top), max(0, seen[0] - left) : max(0, seen[2] - left)] = False
        canvas[top - y0 : bottom - y0, left - x0 : right - x0] |= part
    runs = window_runs(canvas, origin_yx=(y0, x0), height=height)
    box = np.array(box_of_runs(runs, height=height), dtype=np.float32)
    return encode_runs(runs, size_hw=masks.size_hw), box
