"""Reads checkpoint files to tables of tensors without running their code."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import WeightsError
from ..warning_filters import ignored_warnings
from .file_guard import refuse_other_files
from .hub import first_line

WRAPPERS = ("model", "state_dict", "model_state_dict")
"""Names that checkpoints keep a state dict under, also one within the other."""


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint to the CPU; nothing in it can run code.

    Safetensors are read as such, anything else as a PyTorch checkpoint restricted to tensors and plain containers.
    A state dict may lie in `WRAPPERS`. Of several state dicts under names of their own, the names become prefixes.

    Args:
        path: of the file; `~` is the user's home.

    Raises:
        WeightsError: if the file is missing, damaged, holds more than tensors, or no state dict.
    """
    path = expanded(path)
    if not os.path.isfile(path):
        raise WeightsError(f"There is no file {path}; give the path of a checkpoint.")
    refuse_other_files(path)
    content = _read_safetensors(path) if _is_safetensors(path) else _read_pytorch(path)
    state = _flat(_unwrapped(content))
    if not state or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()):
        raise WeightsError(f"{path} holds no state dict: a table of named tensors was expected.")
    return state


def expanded(path: str | Path) -> Path:
    """The path with `~` replaced by the user's home, where that is known.

    Raises:
        WeightsError: if it is no path at all.
    """
    if not isinstance(path, (str, Path)):
        raise WeightsError(f"A checkpoint is given by its path, as text or Path; got {type(path).__name__}.")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _unwrapped(content: Any) -> Any:
    for _ in WRAPPERS:
        for wrapper in WRAPPERS:
            if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
                content = content[wrapper]
    return content


def _flat(content: Any) -> dict[str, Any]:
    """Put the tables within a table side by side, with the table's name before those of its tensors."""
    if not isinstance(content, Mapping):
        return {}
    tables = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    if not tables or any(isinstance(value, Tensor) for value in content.values()):
        return dict(content)
    return {f"{outer}.{inner}": value for outer, table in tables.items() for inner, value in table.items()}


def _is_safetensors(path: Path) -> bool:
    """By its name, as torch does, or by its first bytes: the length of a header, and the header, which is JSON."""
    try:
        with path.open("rb") as stream:
            start = stream.read(9)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror or first_line(error)}.") from error
    return path.suffix.lower() == ".safetensors" or start[8:] == b"{"


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file, or is damaged: {first_line(error)}.") from error
    return tensors


def _read_pytorch(path: Path) -> Any:
    try:
        with ignored_warnings(category=UserWarning):  # torch tells of forms that it then refuses
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        # Torch's own sentence tells people to switch the protection off, so it is not passed on.
        raise WeightsError(
            f"{path} is no plain checkpoint: it is damaged, or holds something other than tensors, which "
            "could run code when it is read. Only plain state dicts and safetensors are read."
        ) from error
    except (
        RuntimeError,
        OSError,
        EOFError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        AssertionError,
        struct.error,
        zipfile.BadZipFile,
    ) as error:
        raise WeightsError(f"{path} is no PyTorch checkpoint, or is damaged.") from error
