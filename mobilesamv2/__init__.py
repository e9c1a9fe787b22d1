"""Segment everything in a photograph, fast: object-aware prompt sampling for the Segment Anything family.

    import mobilesamv2

    model = mobilesamv2.load("nano")
    result = model.segment_everything("photo.jpg")

Names are imported when they are first used, so that `import mobilesamv2` itself loads no network library.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .errors import (
    InvalidImageError,
    MobileSamError,
    NotEnoughMemoryError,
    PromptError,
    UnknownModelError,
    WeightsError,
    WeightsUnreachableError,
)

if TYPE_CHECKING:
    from .comparison.compare import Comparison, compare
    from .filters import MaskFilters, ViewFilters
    from .geometry import Tiles
    from .loading import load
    from .progress import Progress
    from .promptable import Embedding
    from .request import Request
    from .results import PartialMasks, SegmentationResult
    from .segmenter import Segmenter
    from .tiles import segment_in_tiles
    from .types import Masks, Prompts
    from .zoo import models
else:
    from . import models

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Embedding",
    "InvalidImageError",
    "MaskFilters",
    "Masks",
    "MobileSamError",
    "NotEnoughMemoryError",
    "PartialMasks",
    "Progress",
    "PromptError",
    "Prompts",
    "Request",
    "SegmentationResult",
    "Segmenter",
    "Tiles",
    "UnknownModelError",
    "ViewFilters",
    "WeightsError",
    "WeightsUnreachableError",
    "__version__",
    "compare",
    "load",
    "models",
    "segment_in_tiles",
]

_HOMES = {
    "Comparison": "comparison.compare",
    "Embedding": "promptable",
    "MaskFilters": "filters",
    "Masks": "types",
    "PartialMasks": "results",
    "Progress": "progress",
    "Prompts": "types",
    "Request": "request",
    "SegmentationResult": "results",
    "Segmenter": "segmenter",
    "Tiles": "geometry",
    "ViewFilters": "filters",
    "compare": "comparison.compare",
    "load": "loading",
    "segment_in_tiles": "tiles",
}


class _Callable(ModuleType):
    """`mobilesamv2.models` is a subpackage and, as the public interface has it, also a function."""

    def __call__(self) -> tuple[str, ...]:
        """Names of the segmentation models, the embedded one first."""
        names: tuple[str, ...] = importlib.import_module(".zoo", __name__).models()
        return names


if not TYPE_CHECKING:
    models.__class__ = _Callable


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
