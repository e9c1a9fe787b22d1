"""From a name to a network that is ready to run: made, loaded strictly, on a device in a number format."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch

from . import weights as checkpoints
from . import zoo
from .errors import MobileSamError
from .models.detector import DetectorConfig, ObjectDetector, build_detector_module, fuse_batch_norm
from .models.sam import Sam

log = logging.getLogger(__name__)


def build_sam(
    name: str,
    *,
    weights: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Sam:
    """Make a segmentation model with its checkpoint, for inference.

    Args:
        name: one of the zoo's models.
        weights: a checkpoint of that model to load instead of the zoo's own, which may need the network.
        device: as `choose_device` takes it.
        dtype: as `choose_dtype` takes it.

    Raises:
        UnknownModelError: if there is no model of that name.
        WeightsError: if the checkpoint cannot be found, is not safe to read, or is another model's.
        MobileSamError: if the device is not there.
    """
    entry = zoo.find_model(name)
    device = choose_device(device)
    dtype = choose_dtype(device, dtype)
    path = checkpoints.find(entry.files["whole"]) if weights is None else Path(weights)
    state = checkpoints.read_state_dict(path)
    sam = Sam.from_config(entry.config)
    checkpoints.load_strictly(sam, state, source=path)
    sam.eval().requires_grad_(False)
    return sam.to(device).cast(dtype)


def build_detector(
    name_or_path: str | Path,
    *,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> ObjectDetector:
    """Make an object detector with its checkpoint, for inference.

    Args:
        name_or_path: one of the zoo's detectors, or a state dict of the same architecture as `nano-objects`.
        device: as `choose_device` takes it.
        dtype: as `choose_dtype` takes it.

    Raises:
        UnknownModelError: if it is neither a name nor a file.
        WeightsError: if the checkpoint cannot be found, is not safe to read, or is another network's.
        MobileSamError: if the device is not there.
    """
    device = choose_device(device)
    dtype = choose_dtype(device, dtype)
    if _is_path(name_or_path):
        config, path = DetectorConfig(), Path(name_or_path)
    else:
        entry = zoo.find_detector(str(name_or_path))
        config, path = entry.config, checkpoints.find(entry.files["whole"])
    state = checkpoints.read_state_dict(path)
    network = build_detector_module(config)
    checkpoints.load_strictly(network, state, source=path)
    network = fuse_batch_norm(network.eval()).requires_grad_(False)
    return ObjectDetector(network, input_side=config.input_side).to(device=device, dtype=dtype)


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """Where to run: the device that was named, else the first CUDA device, else the CPU.

    Raises:
        MobileSamError: if the device that was named does not exist here.
    """
    if device is None:
        found = torch.cuda.is_available()
        log.info(
            "Running on %s.", "cuda, torch found a GPU" if found else "the CPU, torch found no CUDA device"
        )
        return torch.device("cuda" if found else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise MobileSamError(
            f'There is no device "{device}"; name "cpu", "cuda", "cuda:1" or "mps".'
        ) from error
    if not _is_there(chosen):
        raise MobileSamError(f'torch finds no device "{device}" here; use device="cpu", or leave it out.')
    return chosen


def _is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


def choose_dtype(device: torch.device, dtype: torch.dtype | None = None) -> torch.dtype:
    """The networks' number format: the one that was named, else half precision on CUDA and float32 elsewhere.

    Half precision is bfloat16 from compute capability 8.0 on, where it is as fast as float16 and cannot
    overflow, and float16 below.

    Raises:
        MobileSamError: if the number format that was named is none of real numbers.
    """
    if dtype is not None:
        if not dtype.is_floating_point:
            raise MobileSamError(f"A network runs in float32, float16 or bfloat16; got {dtype}.")
        return dtype
    if device.type != "cuda":
        return torch.float32
    # Not torch.cuda.is_bf16_supported: it also says yes where bfloat16 is emulated, and slow.
    major, minor = torch.cuda.get_device_capability(device)
    chosen = torch.bfloat16 if major >= 8 else torch.float16
    log.info("Running in %s: compute capability %d.%d.", chosen, major, minor)
    return chosen


def _is_path(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    if name_or_path in zoo.DETECTORS:
        return False
    separators = {os.sep, os.altsep} - {None}
    return bool(Path(name_or_path).suffix) or any(str(separator) in name_or_path for separator in separators)
