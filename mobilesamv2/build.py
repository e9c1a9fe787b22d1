"""Builds the network of a name: with its checkpoint, on a device, in a number format."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from . import weights as checkpoints
from . import zoo
from .errors import MobileSamError, WeightsError
from .models.detector.detector import (
    NMS_IOU,
    DetectorConfig,
    ObjectDetector,
    build_detector_module,
    fuse_batch_norm,
)
from .models.nano.model import NanoConfig, NanoModel
from .models.sam import Sam
from .weights.detector_files import read_detector
from .zoo import Form, WeightsFile

log = logging.getLogger(__name__)


SamWeights: TypeAlias = str | Path | Mapping[str, str | Path]
"""A checkpoint on this machine: one file, or `{"encoder": …, "decoder": …}`."""


def build_sam(
    name: str,
    *,
    weights: SamWeights | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Sam | NanoModel:
    """Make a segmentation model with its checkpoint, for inference.

    Args:
        name: one of the zoo's models.
        weights: a checkpoint of that model to load instead of the zoo's own, which may need the network; any model
            may be given as one file or as two.
        device: as `choose_device` takes it.
        dtype: as `choose_dtype` takes it.

    Raises:
        UnknownModelError: if there is no model of that name.
        WeightsError: if the checkpoint cannot be found, is not safe to read, or is another model's.
        MobileSamError: if the device is not there.
    """
    entry = zoo.find_model(name)
    device = choose_device(device)
    dtype = choose_dtype(device, dtype, bfloat16_on_cpu=entry.bfloat16_on_cpu)
    files = _found(entry.files) if weights is None else given_files(weights)
    sam: Sam | NanoModel
    with LeftUnset(), torch.device("cpu"):
        if isinstance(entry.config, NanoConfig):
            sam = NanoModel.from_config(entry.config)
        else:
            sam = Sam.from_config(entry.config)
    sam.float()  # whatever the caller's default dtype is
    if isinstance(sam, Sam):
        checkpoints.load_sam(sam, files)
    elif "whole" in files:
        checkpoints.load_strictly(sam, checkpoints.read_state_dict(files["whole"]), source=files["whole"])
    else:
        raise WeightsError(f"The weights of {name} are one file; give its path.")
    sam.eval().requires_grad_(False)
    return sam.to(device).cast(dtype)


def _found(files: Mapping[str, WeightsFile]) -> dict[str, Path]:
    paths = checkpoints.show_progress(checkpoints.fetch(*files.values()))
    return dict(zip(files, paths, strict=True))


def given_files(weights: SamWeights) -> dict[str, Path]:
    """The files of a user, before anything is made: all must be there."""
    if isinstance(weights, Mapping):
        if set(weights) != {"encoder", "decoder"}:
            names = ", ".join(f'"{name}"' for name in list(weights)[:3]) or "nothing"
            names += ", …" if len(weights) > 3 else ""
            raise WeightsError(
                f'A model in two files is given as {{"encoder": …, "decoder": …}}, one in a single file as its path; '
                f"got {names}."
            )
        files = {part: checkpoints.expanded(weights[part]) for part in ("encoder", "decoder")}
    else:
        files = {"whole": checkpoints.expanded(weights)}
    for path in files.values():
        if not os.path.isfile(path):
            raise WeightsError(f"There is no file {path}; give the path of a checkpoint.")
    return files


def build_detector(
    name_or_path: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> ObjectDetector:
    """Make an object detector with its checkpoint, for inference.

    Args:
        name_or_path: one of the zoo's detectors, or the path of any detection or segmentation checkpoint of
            Ultralytics, pickled whole, as a state dict or as safetensors; the file tells which network it is of.
        device: as `choose_device` takes it.
        dtype: as `choose_dtype` takes it.

    Raises:
        UnknownModelError: if it is neither a name nor a file.
        WeightsError: if the checkpoint cannot be found, is not safe to read, or is another network's.
        MobileSamError: if the device is not there.
    """
    device = choose_device(device)
    entry = None if _is_path(name_or_path) else zoo.find_detector(str(name_or_path))
    dtype = choose_dtype(device, dtype, bfloat16_on_cpu=entry is not None and entry.bfloat16_on_cpu)
    if entry is None:
        path = checkpoints.expanded(name_or_path)
        config, state = read_detector(path, read_state_dict=checkpoints.read_state_dict)
        nms_iou, vote_iou = NMS_IOU, None
    else:
        path, nms_iou, vote_iou = _found(entry.files)["whole"], entry.nms_iou, entry.vote_iou
        if entry.files["whole"].form is Form.ULTRALYTICS:
            config, state = read_detector(path, read_state_dict=checkpoints.read_state_dict)
            config = _as_known(config, entry.config)
        else:
            config, state = entry.config, checkpoints.read_state_dict(path)
    try:
        with LeftUnset(), torch.device("cpu"):
            network = build_detector_module(config).float()
    except ValueError as error:
        raise WeightsError(f"{path} is no detector that can be used here: {error}.") from error
    checkpoints.load_strictly(network, state, source=path)
    network = fuse_batch_norm(network.eval()).requires_grad_(False)
    detector = ObjectDetector(
        network,
        input_side=config.input_side,
        second_side=config.second_side,
        nms_iou=nms_iou,
        vote_iou=vote_iou,
    )
    return detector.to(device=device, dtype=dtype)


def _as_known(found: DetectorConfig, known: DetectorConfig) -> DetectorConfig:
    """What to make for a file of the zoo: its own head on the network that is expected there."""
    if not found.layers and (found.family, found.scale) != (known.family, known.scale):
        return known  # another network: its tensors will not fit, and that says which
    return dataclasses.replace(found, input_side=known.input_side)


class LeftUnset(TorchFunctionMode):
    """Layers are made without drawing random weights, which a checkpoint replaces anyway; ViT-H's take 20 seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_):
            return kwargs["tensor"]
        return func(*args, **kwargs)


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Where to run: the device that was named, else the first CUDA device, else the CPU.

    Raises:
        MobileSamError: if the device that was named does not exist here.
    """
    if device is None:
        found = torch.cuda.is_available()
        log.info("Running on %s.", "cuda, torch found a GPU" if found else "the CPU, torch found no CUDA device")
        return torch.device("cuda" if found else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise MobileSamError(f'There is no device "{device}"; name "cpu", "cuda", "cuda:1" or "mps".') from error
    if not _is_there(chosen):
        raise MobileSamError(f'torch finds no device "{device}" here; use device="cpu", or leave it out.')
    return chosen


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def choose_dtype(
    device: torch.device, dtype: torch.dtype | None = None, *, bfloat16_on_cpu: bool = False
) -> torch.dtype:
    """The networks' number format: the one that was named, else half precision on CUDA and float32 elsewhere.

    Half precision is bfloat16 from compute capability 8.0 on, where it is as fast as float16 and cannot
    overflow, and float16 below. Processors with matrix units for bfloat16 (Intel's AMX) take about half the time in it;
    on others it can be ten times slower than float32.

    Args:
        bfloat16_on_cpu: whether the network is as good in it there; only the embedded models were measured.

    Raises:
        MobileSamError: if the number format that was named is none of real numbers.
    """
    if dtype is not None:
        if not dtype.is_floating_point:
            raise MobileSamError(f"A network runs in float32, float16 or bfloat16; got {dtype}.")
        return dtype
    if device.type == "cpu" and bfloat16_on_cpu and _has_bfloat16_units():
        return torch.bfloat16
    if device.type != "cuda":
        return torch.float32
    # Not torch.cuda.is_bf16_supported: it also says yes where bfloat16 is emulated, and slow.
    major, minor = torch.cuda.get_device_capability(device)
    chosen = torch.bfloat16 if major >= 8 else torch.float16
    log.info("Running in %s: compute capability %d.%d.", chosen, major, minor)
    return chosen


def _has_bfloat16_units() -> bool:
    """Whether the processor multiplies matrices of bfloat16 (Intel's AMX); not known of PyTorch's older releases."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("amx_bf16"))


def _is_path(name_or_path: str | Path) -> bool:
    if not isinstance(name_or_path, str):
        return True
    if name_or_path in zoo.DETECTORS:
        return False
    if os.path.isfile(name_or_path):
        return True
    separators = {os.sep, os.altsep} - {None}
    return bool(Path(name_or_path).suffix) or any(str(separator) in name_or_path for separator in separators)
