"""Reads checkpoint files to tables of tensors without running their code."""

from __future__ import annotations

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
from .hub import first_line


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read the tensors of a checkpoint to the CPU; nothing in it can run code.

    `.safetensors` files are read as such, anything else as a PyTorch checkpoint restricted to tensors and
    plain containers. A state dict may be wrapped as `model` or `state_dict`.

    Raises:
        WeightsError: if the file is missing, damaged, holds more than tensors, or no state dict.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"There is no file {path}; give the path of a checkpoint.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pytorch(path)
    for wrapper in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    ):
        raise WeightsError(f"{path} holds no state dict: a table of named tensors was expected.")
    return dict(content)


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no safetensors file, or is damaged: {first_line(error)}.") from error
    return tensors


def _read_pytorch(path: Path) -> Any:
    try:
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
