"""A picture whose sides can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from mobilesamv2.types import Picture


@pytest.fixture(scope="module")
def colours() -> Picture:
    """A small picture in which every corner has its own colour, so that turning it shows."""
    picture = np.zeros((8, 12, 3), dtype=np.uint8)
    picture[:4, :6], picture[:4, 6:], picture[4:, :6] = (250, 10, 10), (10, 250, 10), (10, 10, 250)
    return picture
