"""Makes the network of a detector from its description."""

from __future__ import annotations

from typing import Any, cast

from torch import nn

from .detector_config import DetectorConfig
from .detector_ultralytics import ultralytics_module


def build_detector_module(config: DetectorConfig) -> nn.Module:
    """Make the network of a detector with random weights: an Ultralytics `DetectionModel`.

    Nothing is downloaded. Its state-dict keys are what detector checkpoints hold, `model.0.conv.weight` to
    `model.22.dfl.conv.weight` for YOLOv8.
    """
    module: nn.Module = ultralytics_module("ultralytics.nn.tasks").DetectionModel(
        config.architecture, nc=config.classes, verbose=False
    )
    return module


def fuse_batch_norm(network: nn.Module) -> nn.Module:
    """Fold the batch norms of a network into its convolutions, in place: faster, the same up to rounding.

    Call it after the weights are loaded (the state-dict keys change) and before lowering the precision.
    """
    fused: nn.Module = cast(Any, network).fuse(verbose=False)
    return fused
