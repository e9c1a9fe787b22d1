"""`load`: a `Segmenter` from the names of a model and a detector."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch

from . import weights as checkpoints
from . import zoo
from .build import SamWeights, build_detector, build_sam, choose_device
from .errors import MobileSamError, WeightsError
from .models.detector.detector import Detections, ObjectDetector
from .onnx.cache import cached_detector, cached_segmenter
from .onnx.running import OnnxDetector, OnnxNetwork, read_description
from .segmenter import Segmenter
from .types import Picture

BACKENDS = ("torch", "onnx")


def load(
    name: str = zoo.DEFAULT_MODEL,
    *,
    weights: SamWeights | None = None,
    detector: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
    backend: str = "torch",
) -> Segmenter:
    """Load a segmentation model and the object detector that it is used with.

    The model's usual detector is fetched when it is first needed, if it is not on this machine by then.
    PyTorch's threads do not survive `os.fork`: load in the process that runs the model, or start processes with
    "spawn" (`multiprocessing.get_context("spawn")`).

    Args:
        name: one of `models()`. "nano" comes with the package; others are fetched from the hub once.
        weights: the path of a checkpoint of that model, or `{"encoder": path, "decoder": path}`, instead of what the
            package knows.
        detector: name or checkpoint path of another object detector than the model's usual one.
        device: where to run; None: on CUDA if there is a GPU, else on the CPU.
        dtype: number format of the networks; None: bfloat16 or float16 on CUDA, else float32, but for the embedded
            networks on processors with matrix units for bfloat16, which take half the time in it. Name
            `torch.float32` where results of several machines are to be as nearly the same as can be.
        backend: "torch", or "onnx": ONNX Runtime on the CPU, with files that are exported at the first use; then
            `weights` and `detector` also take a folder that `mobilesamv2 export` wrote.

    Raises:
        UnknownModelError: if there is no model or detector of that name.
        WeightsError: if a checkpoint cannot be found or fetched, is damaged, unsafe or another model's.
        MobileSamError: if the device is not there, or the backend is unknown, not installed or not for that device.
    """
    entry = zoo.find_model(name)
    if backend not in BACKENDS:
        raise MobileSamError(f'There is no backend "{backend}"; use one of {", ".join(BACKENDS)}.')
    if backend == "onnx":
        if str(device or "cpu") != "cpu" or dtype not in (None, torch.float32):
            raise MobileSamError('backend="onnx" runs in float32 on the CPU; leave device and dtype out.')
        return _load_onnx(entry, weights=weights, detector=detector)
    device = choose_device(device)
    sam = build_sam(name, weights=weights, device=device, dtype=dtype)

    def made(name_or_path: str | Path) -> ObjectDetector:
        return build_detector(name_or_path, device=device, dtype=dtype)

    return Segmenter(sam, name=name, detector=_found(detector, entry, made), grid_filters=entry.grid_filters)


def _load_onnx(entry: zoo.ModelEntry, *, weights: SamWeights | None, detector: str | Path | None) -> Segmenter:
    """As `load`, on ONNX Runtime."""
    exported = _exported_folder(weights)
    if exported is None:
        network = OnnxNetwork(cached_segmenter(entry.name, weights))
    else:
        described = read_description(exported)
        if described["name"] != entry.name:
            raise WeightsError(f"{exported} holds {described['name']}, not {entry.name}; load it by that name.")
        network = OnnxNetwork(exported)
        if detector is None and "detector" in described:
            detector = exported

    def made(name_or_path: str | Path) -> OnnxDetector:
        return OnnxDetector(_exported_folder(name_or_path) or cached_detector(name_or_path))

    return Segmenter(
        network,
        name=entry.name,
        detector=_found(detector, entry, made),
        grid_filters=entry.grid_filters,
        chunk_size=network.prompts_at_once,
    )


def _exported_folder(path: SamWeights | None) -> Path | None:
    """The folder of exported files that a path names; None: it names something else."""
    return Path(path) if isinstance(path, str | Path) and os.path.isdir(path) else None


def _found(
    named: str | Path | None, entry: zoo.ModelEntry, make: Callable[[str | Path], AnyDetector]
) -> AnyDetector | DetectorWhenNeeded:
    """The detector that was named, or else the model's usual one, at once where it is on this machine."""
    if named is not None:
        return make(named)
    usual = DetectorWhenNeeded(lambda: make(entry.detector))
    if checkpoints.missing(zoo.find_detector(entry.detector).files.values()):
        return usual
    return usual.detector()


AnyDetector: TypeAlias = "ObjectDetector | OnnxDetector"


@dataclass(eq=False)
class DetectorWhenNeeded:
    """An object detector that is found and made at its first use, by one thread for all.

    Args:
        make: finds and makes it.
    """

    make: Callable[[], AnyDetector]
    _made: AnyDetector | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def detector(self) -> AnyDetector:
        """The detector itself.

        Raises:
            WeightsError: as `build_detector`; the next use tries again.
        """
        with self._lock:
            if self._made is None:
                self._made = self.make()
            return self._made

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        """As `ObjectDetector.detect`."""
        return self.detector().detect(picture, confidence=confidence, iou=iou, max_boxes=max_boxes)
