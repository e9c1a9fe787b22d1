"""Places on the photo that a visitor types instead of pointing at them. Knows nothing of pictures or models."""

from __future__ import annotations

import re
from typing import Any

from ..errors import PromptError
from .text import prompting as text

_BETWEEN = re.compile(r"[\s,;()\[\]]+")


def read_place(words: str, mode: str) -> dict[str, Any]:
    """What `prompting.place` takes, in pixels of the photo.

    Args:
        words: two numbers for a point, four for two opposite corners of a box, however they are set apart.
        mode: what a click does at the moment; with "beside" a point is one beside the object.

    Raises:
        PromptError: if it is neither.
    """
    try:
        numbers = [float(part) for part in _BETWEEN.split(words) if part]
    except ValueError:
        numbers = []
    if len(numbers) == 2:
        x, y = numbers
        return {"kind": "point", "unit": "pixels", "x": x, "y": y, "label": 0 if mode == "beside" else 1}
    if len(numbers) == 4:
        return {"kind": "box", "unit": "pixels", "corners": numbers}
    raise PromptError(text.not_a_place(words))
