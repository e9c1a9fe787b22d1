"""Copies a table of tensors into a network, all of it or nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import WeightsError
from .names import without_prefix


def load_strictly(module: nn.Module, state: Mapping[str, Tensor], *, source: str | Path) -> None:
    """Copy a state dict into a module, all of it or nothing.

    Args:
        module: what takes it; keeps its device and number format.
        state: its tensors by name; names may all begin with something more than the module's, such as `module.`,
            which distributed training leaves. The counters of batch norms, which nothing reads, may be missing.
        source: where it came from, for the error.

    Raises:
        WeightsError: if a tensor is missing, left over, of another shape or not finite, naming the first few.
    """
    own = module.state_dict()
    state = without_prefix(state, own)
    missing = [key for key in own if key not in state and not key.endswith(".num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    reshaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(value.shape)}"
        for key, value in own.items()
        if key in state and state[key].shape != value.shape
    ]
    strange = [key for key in own if key in state and not _can_be_copied(state[key], own[key])]
    parts = [
        ("missing", missing),
        ("left over", unexpected),
        ("of another shape", reshaped),
        ("of another kind of numbers", strange),
    ]
    problems = [f"{len(keys)} tensors {what} ({_few(keys)})" for what, keys in parts if keys]
    if problems:
        raise WeightsError(
            f"{source} was made for another architecture: {'; '.join(problems)}. Name the model it is for."
        )
    if damaged := [key for key, value in state.items() if not _is_finite(value)]:
        raise WeightsError(
            f"{source} holds NaN or infinity in {len(damaged)} tensors ({_few(damaged)}): it is damaged, or its "
            "training failed. Get another copy."
        )
    module.load_state_dict({**own, **state})


def _can_be_copied(value: Tensor, own: Tensor) -> bool:
    """Whether a tensor holds numbers of our kind, and holds them plainly."""
    plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
    return plain and value.is_floating_point() == own.is_floating_point()


def _is_finite(value: Tensor) -> bool:
    if value.numel() == 0 or not value.is_floating_point():
        return True
    value = value.detach()
    numbers = value.float() if value.element_size() == 1 else value  # 8-bit formats have no comparison
    return all(map(math.isfinite, map(float, numbers.aminmax())))  # in one pass, and NaN comes through


def _few(names: Iterable[str], *, shown: int = 3) -> str:
    names = list(names)
    return ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
