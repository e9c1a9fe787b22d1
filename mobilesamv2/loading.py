"""From names to a `Segmenter`: the front door of the package."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import torch

from . import weights as checkpoints
from . import zoo
from .build import SamWeights, build_detector, build_sam, choose_device, choose_dtype
from .models.detector.detector import Detections, ObjectDetector
from .segmenter import Segmenter
from .types import Picture


def load(
    name: str = zoo.DEFAULT_MODEL,
    *,
    weights: SamWeights | None = None,
    detector: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: torch.dtype | None = None,
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
        dtype: number format of the networks; None: bfloat16 or float16 on CUDA, else float32.

    Raises:
        UnknownModelError: if there is no model or detector of that name.
        WeightsError: if a checkpoint cannot be found or fetched, is damaged, unsafe or another model's.
        MobileSamError: if the device is not there.
    """
    entry = zoo.find_model(name)
    device = choose_device(device)
    dtype = choose_dtype(device, dtype)
    sam = build_sam(name, weights=weights, device=device, dtype=dtype)
    usual = DetectorWhenNeeded(entry.detector, device=device, dtype=dtype)
    found: ObjectDetector | DetectorWhenNeeded = usual
    if detector is not None:
        found = build_detector(detector, device=device, dtype=dtype)
    elif not checkpoints.missing(zoo.find_detector(entry.detector).files.values()):
        found = usual.detector()
    return Segmenter(sam, name=name, detector=found, grid_filters=entry.grid_filters)


@dataclass(eq=False)
class DetectorWhenNeeded:
    """An object detector that is found and made at its first use, by one thread for all.

    Args:
        name: of the detector.
        device, dtype: as `build_detector` takes them.
    """

    name: str
    device: torch.device
    dtype: torch.dtype
    _made: ObjectDetector | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def detector(self) -> ObjectDetector:
        """The detector itself.

        Raises:
            WeightsError: as `build_detector`; the next use tries again.
        """
        with self._lock:
            if self._made is None:
                self._made = build_detector(self.name, device=self.device, dtype=self.dtype)
            return self._made

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        """As `ObjectDetector.detect`."""
        return self.detector().detect(picture, confidence=confidence, iou=iou, max_boxes=max_boxes)
