"""Reader of pickled Ultralytics checkpoints: the description of the network and its tensors, without running code.

Ultralytics' allow-listed loader makes the objects. None of them is called: only plain values are taken, and
`build_detector_module` makes a new network from them.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import WeightsError
from ..models.detector.config import SIDES
from ..models.detector.ultralytics_import import ultralytics_module
from .detector_program import read_program, refuse_foreign_calls

DEEPEST = 32
"""Modules within modules; published networks have a dozen."""

_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class PickledNetwork:
    """What a pickled checkpoint says.

    Args:
        state: its tensors by name.
        description: the layers in Ultralytics' form, unchecked; None if it holds tensors alone.
        input_side: longer side in pixels of the pictures it was trained on; None where it does not say.
    """

    state: dict[str, Tensor]
    description: object
    input_side: int | None


def is_pickled_ultralytics(path: Path) -> bool:
    """Whether a file is a checkpoint that names anything of Ultralytics; does not run any of it."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    program = read_program(path)
    return program is not None and any(name.startswith("ultralytics.") for name in program.names)


def read_pickle(path: Path) -> PickledNetwork:
    """Read a full pickle as Ultralytics publishes and trains them; tensors come to the CPU as they are stored.

    The averaged weights (`ema`) are taken where there are any.

    Raises:
        WeightsError: if it is damaged, could run code, or holds no network.
    """
    program = read_program(path)
    if program is None:
        raise WeightsError(f"{path} is no checkpoint of Ultralytics, or is damaged.")
    refuse_foreign_calls(program, source=path)
    content = _load(path)
    network = next(
        (found for key in ("ema", "model") if _has_tensors(found := content.get(key))),
        None,
    )
    if network is None:
        raise WeightsError(f'{path} holds no network: neither "ema" nor "model" is one.')
    if isinstance(network, nn.Module):
        state = dict(_tensors(network, source=path))
        attributes = vars(network)
    else:
        state, attributes = dict(network), {}
    for tensor in state.values():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise WeightsError(f"{path} holds tensors of another kind than plain ones; save the network anew.")
    return PickledNetwork(
        state=state,
        description=attributes.get("yaml"),
        input_side=_input_side(content.get("train_args"), attributes.get("args")),
    )


def _load(path: Path) -> dict[Any, Any]:
    """Make the objects of a checkpoint by Ultralytics' allow-listed loader."""
    for module in ("ultralytics.models.yolo", "ultralytics.data", "ultralytics.utils.loss"):
        ultralytics_module(module)  # here, so that importing them leaves no traces
    tasks = ultralytics_module("ultralytics.nn.tasks")
    if not getattr(getattr(tasks, "_SafeLoad", None), "SUPPORTED", False):
        # Before it had this loader, Ultralytics took `safe_only` and unpickled all the same.
        raise WeightsError(f"{path} can be read safely only by a newer Ultralytics: pip install -U ultralytics.")
    with _lock, tempfile.TemporaryDirectory(prefix="mobilesamv2-") as folder:
        # By a plain name: Ultralytics changes some names, wants a suffix, and downloads what it does not find.
        plain = Path(folder) / "checkpoint.pt"
        try:
            plain.symlink_to(path.resolve())
        except OSError:
            shutil.copyfile(path, plain)
        allowed = set(torch.serialization.get_safe_globals())
        try:
            content, _ = tasks.torch_safe_load(str(plain), safe_only=True)
        except (
            ArithmeticError,
            AssertionError,
            AttributeError,
            EOFError,
            ImportError,
            LookupError,
            MemoryError,
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
            struct.error,
        ) as error:
            raise WeightsError(
                f"{path} is damaged, or holds something else than a network of Ultralytics, which could run code "
                "when it is read; get the file from where the model was published."
            ) from error
        finally:
            # What Ultralytics allows stays allowed for every later torch.load: take it back.
            added = set(torch.serialization.get_safe_globals()) - allowed
            with torch.serialization.safe_globals(list(added)):
                pass
    return content if type(content) is dict else {}


def _has_tensors(candidate: object) -> bool:
    if isinstance(candidate, nn.Module):
        return True
    return (
        isinstance(candidate, Mapping)
        and bool(candidate)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in candidate.items())
    )


def _tensors(module: nn.Module, *, source: Path, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """What `module.state_dict()` gives, without running any of its hooks or methods."""
    attributes = vars(module)
    tables = [attributes.get(name) for name in ("_parameters", "_buffers", "_modules")]
    passing = attributes.get("_non_persistent_buffers_set", set())
    if not all(isinstance(table, dict) for table in tables) or not isinstance(passing, set):
        raise WeightsError(f"{source} holds a module without tensors or parts; it is damaged.")
    if prefix.count(".") > DEEPEST:
        raise WeightsError(f"{source} holds modules that are nested too deeply; it is damaged.")
    parameters, buffers, parts = (table for table in tables if table is not None)
    for name, value in [*parameters.items(), *buffers.items()]:
        if isinstance(value, Tensor) and name not in passing:
            yield f"{prefix}{name}", value.detach()
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            yield from _tensors(part, source=source, prefix=f"{prefix}{name}.")


def _input_side(*arguments: object) -> int | None:
    for values in arguments:
        table = values if isinstance(values, dict) else getattr(values, "__dict__", {})
        side = table.get("imgsz")
        sides = side if isinstance(side, (list, tuple)) else [side]
        if sides and all(type(number) is int and SIDES[0] <= number <= SIDES[1] for number in sides):
            return int(max(sides))
    return None
