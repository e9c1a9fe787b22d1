"""From names to a `Segmenter`: the front door of the package."""

from __future__ import annotations

from pathlib import Path

import torch

from . import zoo
from .build import SamWeights, build_detector, build_sam, choose_device, choose_dtype
from .segmenter import Segmenter


def load(
    name: str = zoo.DEFAULT_MODEL,
    *,
    weights: SamWeights | None = None,
    detector: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Segmenter:
    """Load a segmentation model and the object detector that it is used with.

    Args:
        name: one of `models()`. "nano" comes with the package; others are fetched from the hub once.
        weights: the path of a checkpoint of that model, or `{"encoder": path, "decoder": path}`, instead of what the
            package knows.
        detector: name or checkpoint path of another object detector than the model's usual one.
        device: where to run; None: on CUDA if there is a GPU, else on the CPU.
        dtype: number format of the networks; None: bfloat16 or float16 on CUDA, else float32.

    Raises:
        UnknownModelError: if there is no model or detector of that name.
        WeightsError: if a checkpoint cannot be found or fetched, is damaged, unsafe or another model's.
        MobileSamError: if the device is not there.
    """
    entry = zoo.find_model(name)
    device = choose_device(device)
    dtype = choose_dtype(device, dtype)
    return Segmenter(
        build_sam(name, weights=weights, device=device, dtype=dtype),
        name=name,
        detector=build_detector(entry.detector if detector is None else detector, device=device, dtype=dtype),
        grid_filters=entry.grid_filters,
    )
