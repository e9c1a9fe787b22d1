"""Annotated photographs for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mobilesamv2.evaluate.datasets import Photograph
from mobilesamv2.types import Rle


def photograph_of(path: Path, size_hw: tuple[int, int], rles: Sequence[Rle]) -> Photograph:
    """A photograph with these masks."""
    annotations = tuple({"id": number, "segmentation": rle} for number, rle in enumerate(rles, start=1))
    return Photograph(path=path, size_hw=size_hw, annotations=annotations, frequency_of={})
