"""Weights that a run can begin with."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor


def averaged_weights(path: Path, *, name: str) -> dict[str, Tensor]:
    """The averaged weights of a run's checkpoint, kept there as `name`, or those of an exported file as they are."""
    if path.suffix == ".safetensors":
        exported: dict[str, Tensor] = load_file(path)
        return exported
    averaged: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)[name]
    return averaged
