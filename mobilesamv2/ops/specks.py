"""Small islands of a mask and small holes in it."""

from __future__ import annotations

import cv2
import numpy as np

from ..arrays import Bools, Ints


def without_specks(mask: Bools, pixels: int) -> Bools:
    """Fill holes of fewer than `pixels` and take away islands of fewer; the largest island always stays.

    Args:
        mask: bool (h, w). Pixels that touch at a corner belong together in islands and in holes, as in SAM's
            automatic mask generator. What is open to the window's edge is no hole.
    """
    if mask.size == 0 or not mask.any():
        return mask
    framed = np.pad(~mask, 1, constant_values=True)  # all that is open to the edge is one large region
    labels, areas = _regions(framed)
    small = areas < pixels
    small[[0, labels[0, 0]]] = False
    filled = ~(framed & ~small[labels])[1:-1, 1:-1]
    labels, areas = _regions(filled)
    small = areas < pixels
    small[1 + int(areas[1:].argmax())] = False
    return np.asarray(filled & ~small[labels])


def _regions(mask: Bools) -> tuple[Ints, Ints]:
    """The number of each pixel's region, 0 where the mask is not, and the regions' areas."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels, dtype=np.int64), np.asarray(statistics[:, cv2.CC_STAT_AREA], dtype=np.int64)
