"""The table of models and object detectors: their architecture, where their checkpoint is, how to know it.

Only data. What is fetched, verified or built from it is for `weights` and `build`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import UnknownModelError
from .models.detector import DetectorConfig
from .models.sam import SamConfig, mobile_sam_config, nano_config
from .prompts import MaskFilters
from .prompts.grid import SAM_FILTERS

DEFAULT_MODEL = "nano"
"""The model that needs no network."""


@dataclass(frozen=True)
class WeightsFile:
    """One checkpoint file: where it is, and how to know that it is the right one.

    Args:
        filename: its path inside the hub repository, or its name among the embedded weights.
        repo: the hub repository it is fetched from; None for a file that comes with this package.
        revision: the commit of the repository; None where no commit is pinned, then "main" is taken.
        bytes: its size; None where it is not known, then it is not checked.
        sha256: its SHA-256 in hexadecimal; None where it is not known, then it is not checked.
        licence: SPDX identifier of the licence the weights are under.
    """

    filename: str
    repo: str | None = None
    revision: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    licence: str = "AGPL-3.0-or-later"


@dataclass(frozen=True)
class ModelEntry:
    """A segmentation model.

    Args:
        name: what people call it.
        config: its architecture.
        weights: its checkpoint, a state dict of the whole model.
        detector: name of the detector it is used with unless another one is asked for.
        summary: one line for people.
        grid_filters: the filters of grid search that suit its predicted IoUs and logits.
    """

    name: str
    config: SamConfig
    weights: WeightsFile
    detector: str
    summary: str
    grid_filters: MaskFilters = SAM_FILTERS


@dataclass(frozen=True)
class DetectorEntry:
    """An object detector.

    Args:
        name: what people call it.
        weights: its checkpoint, a state dict of the network.
        config: its architecture.
        summary: one line for people.
    """

    name: str
    weights: WeightsFile
    config: DetectorConfig = field(default_factory=DetectorConfig)
    summary: str = ""


NANO_FILTERS = MaskFilters(predicted_iou=0.35, stability=0.5, stability_offset=1.0, box_nms=0.7)
"""Grid search's filters for `nano`, which seldom predicts an IoU above .6: those of the largest F1 score on ten
training pictures (`python -m training.grid_filters --pictures 10`). SAM's own would keep next to nothing."""

MODELS: dict[str, ModelEntry] = {
    entry.name: entry
    for entry in (
        ModelEntry(
            name="nano",
            config=nano_config(),
            weights=WeightsFile(
                filename="nano.safetensors",
                bytes=6_717_138,
                sha256="cea0ed88da3a3f638a6622601fc317f71b6a6f50faaf948d584d25a7a8b580e2",
            ),
            detector="nano-objects",
            summary="small enough to come with the package, made for two CPU cores",
            grid_filters=NANO_FILTERS,
        ),
        ModelEntry(
            name="mobilesam",
            config=mobile_sam_config(),
            weights=WeightsFile(
                filename="mobile_sam.pt",
                repo="dhkim2810/MobileSAM",
                bytes=40_728_226,
                sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
                licence="Apache-2.0",
            ),
            detector="nano-objects",
            summary="MobileSAM: TinyViT encoder with Segment Anything's decoder",
        ),
    )
}

DETECTORS: dict[str, DetectorEntry] = {
    entry.name: entry
    for entry in (
        DetectorEntry(
            name="nano-objects",
            weights=WeightsFile(
                filename="nano-objects.safetensors",
                bytes=6_117_316,
                sha256="6bcf4f21bb4b1d4fa94122f16ec0c8e720e8595b612cce33dfa782fbb857d49f",
            ),
            summary="YOLOv8n with one class, comes with the package",
        ),
    )
}


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
