"""Type aliases of numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""An RGB picture, uint8 of shape (H, W, 3)."""
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Rle = dict[str, Any]
"""One mask as COCO's compressed run lengths: `{"size": [H, W], "counts": bytes}`."""
