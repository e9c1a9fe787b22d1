"""Files that a run leaves, and the weights that one can begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor


def save(path: Path, **state: Any) -> None:
    """Write a checkpoint: a run that is stopped meanwhile leaves the old file or the new one, never half of one."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def averaged_weights(path: Path, *, name: str) -> dict[str, Tensor]:
    """The averaged weights of a run's checkpoint, kept there as `name`, or those of an exported file as they are."""
    if path.suffix == ".safetensors":
        exported: dict[str, Tensor] = load_file(path)
        return exported
    averaged: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)[name]
    return averaged


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of the same weights of several runs; of counts, which are whole numbers, the first."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
