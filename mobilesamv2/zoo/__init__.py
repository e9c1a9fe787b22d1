"""The table of models and object detectors: their architecture, where their checkpoint is, how to know it.

Only data. What is fetched, verified or built from it is for `weights` and `build`.
"""

from __future__ import annotations

from ..errors import UnknownModelError
from . import detection, segmentation
from .entries import DetectorEntry, Form, ModelEntry, WeightsFile

__all__ = [
    "DEFAULT_MODEL",
    "DETECTORS",
    "MODELS",
    "DetectorEntry",
    "Form",
    "ModelEntry",
    "WeightsFile",
    "find_detector",
    "find_model",
    "models",
]

DEFAULT_MODEL = "nano"
"""The model that needs no network."""

MODELS: dict[str, ModelEntry] = {entry.name: entry for entry in segmentation.ENTRIES}
DETECTORS: dict[str, DetectorEntry] = {entry.name: entry for entry in detection.ENTRIES}


def models() -> tuple[str, ...]:
    """Names of the segmentation models, the embedded one first."""
    return tuple(MODELS)


def find_model(name: str) -> ModelEntry:
    """The model of that name.

    Raises:
        UnknownModelError: if there is none.
    """
    if name not in MODELS:
        raise UnknownModelError(f'There is no model "{name}". The models are: {", ".join(MODELS)}.')
    return MODELS[name]


def find_detector(name: str) -> DetectorEntry:
    """The object detector of that name.

    Raises:
        UnknownModelError: if there is none.
    """
    if name not in DETECTORS:
        raise UnknownModelError(
            f'There is no object detector "{name}". The detectors are: {", ".join(DETECTORS)}; '
            "the path of a checkpoint is taken too."
        )
    return DETECTORS[name]
