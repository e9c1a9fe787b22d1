"""Writes checkpoints of any form as safetensors, which every program can read and which can hold no code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError
from .detector_files import read_detector
from .hub import first_line
from .names import PARTS, State, by_module, joined, unwrapped
from .other_names import as_published, read_model
from .read import read_state_dict

SUFFIX = ".safetensors"


def convert(files: Mapping[str, Path], target: Path) -> int:
    """Write the tensors of a checkpoint as they are, without wrappers and prefixes, for `load` to take again.

    Args:
        files: `{"whole": …}`: a model, half of one, or a detector; or `{"encoder": …, "decoder": …}`: becomes one file.
        target: what to write; it is replaced as a whole if it is there.

    Returns:
        How many tensors were written.

    Raises:
        WeightsError: if a file is not safe to read or lacks its part, or if `target` has another ending than
            `.safetensors` or cannot be written.
    """
    if target.suffix.lower() != SUFFIX:
        raise WeightsError(f"{target} must end in {SUFFIX}, the only form that is written.")
    if "whole" in files:
        state, metadata = _read(files["whole"])
    else:
        state, metadata = _both_halves(files), {}
    _write(state, metadata, target)
    return len(state)


def _read(path: Path) -> tuple[State, dict[str, str]]:
    """The tensors under the names of our networks, and what else must be known of them."""
    try:
        state = read_state_dict(path)
    except WeightsError:
        if not path.is_file():
            raise
        state = {}  # may be a pickled detector; if not, reading it as such says what is wrong
    state = as_published(state, source=path)
    modules = by_module(state)
    if modules.keys() - {""}:
        return joined(modules), {}
    try:
        config, found = read_detector(path, read_state_dict=read_state_dict)
    except WeightsError:
        if state:  # an image encoder without prefixes
            return unwrapped(state), {}
        raise
    return found, config.to_metadata()


def _both_halves(files: Mapping[str, Path]) -> State:
    state: dict[str, Tensor] = {}
    for part, names in PARTS.items():
        modules = by_module(read_model(files[part]))
        if part == "encoder" and modules.keys() == {""}:
            modules = {"image_encoder": unwrapped(modules[""])}
        if not modules.keys() >= set(names):
            raise WeightsError(f"{files[part]} does not hold the {part} of a model.")
        state |= joined({name: modules[name] for name in names})
    return state


def _write(state: State, metadata: dict[str, str], target: Path) -> None:
    seen: set[int] = set()
    plain = {}
    for name, tensor in state.items():
        # The format knows no two names for the same numbers.
        shared = tensor.data_ptr() in seen
        plain[name] = tensor.clone(memory_format=torch.contiguous_format) if shared else tensor.contiguous()
        seen.add(tensor.data_ptr())
    new = target.with_name(f".{target.name}.{os.getpid()}.new")  # nobody sees half a file under the true name
    try:
        save_file(plain, new, metadata={"format": "pt", **metadata})
        os.replace(new, target)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{target} cannot be written: {first_line(error)}.") from error
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
