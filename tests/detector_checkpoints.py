"""Checkpoints of detectors as they are published, with random weights; and hostile ones."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from mobilesamv2.models.detector.ultralytics_import import ultralytics_module

OLD_NAMES = {
    "ultralytics.utils\nIterableSimpleNamespace": "ultralytics.yolo.utils\nIterableSimpleNamespace",
    "ultralytics.nn.modules.conv\n": "ultralytics.nn.modules\n",
    "ultralytics.nn.modules.block\n": "ultralytics.nn.modules\n",
    "ultralytics.nn.modules.head\n": "ultralytics.nn.modules\n",
}
"""Names as Ultralytics wrote them in 2023, by those of today."""


def published_network(description: str, *, classes: int = 1, reg_max: int = 16, seed: int = 0) -> Any:
    """A network made by Ultralytics from its own description, whose norms do something and whose scores spread."""
    tasks = ultralytics_module("ultralytics.nn.tasks")
    kind = tasks.SegmentationModel if "-seg" in description else tasks.DetectionModel
    content = tasks.yaml_model_load(description)
    if reg_max != 16:
        content["reg_max"] = reg_max
    torch.manual_seed(seed)
    return _lively(kind(content, nc=classes, verbose=False))


def small_network(*, classes: int = 1, seed: int = 0, **changes: Any) -> Any:
    """YOLOv8 at a width of its own that is quick to make, with other changes of its description."""
    tasks = ultralytics_module("ultralytics.nn.tasks")
    content = tasks.yaml_model_load("yolov8n.yaml")
    torch.manual_seed(seed)
    sizes = {"scales": {"tiny": [0.33, 0.0625, 256]}, "scale": "tiny"}
    return _lively(tasks.DetectionModel({**content, **sizes, **changes}, nc=classes, verbose=False))


def _lively(network: Any) -> Any:
    network.eval()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(cast(Tensor, part.running_mean), std=0.1)
            nn.init.uniform_(cast(Tensor, part.running_var), 0.2, 0.6)
    head = network.model[-1]
    for branches in (head.cv3, getattr(head, "one2one_cv3", None) or []):
        for branch in branches:
            nn.init.normal_(branch[-1].weight, std=0.5)
            nn.init.zeros_(branch[-1].bias)
    return network


def answer(network: Any, pictures: Tensor) -> Tensor:
    """Boxes (centre, size) and scores that Ultralytics decodes, (B, 4 + classes, A), mask coefficients left out."""
    head = network.model[-1]
    network.float().eval()
    with torch.no_grad():
        found = network(pictures)
    while isinstance(found, tuple):
        found = found[0]
    return cast(Tensor, found[:, : 4 + head.nc])


def object_aware_network() -> Any:
    """ObjectAwareModel's form at the smallest size: 26 bins, and a segmentation head without its prototypes."""
    network = published_network("yolov8n-seg.yaml", reg_max=26)
    del network.yaml["reg_max"]  # an Ultralytics of its day does not write it
    del network.model[-1].proto
    return network


def save_checkpoint(path: Path, network: Any, *, input_side: int = 320, **more: Any) -> Path:
    """Write the dictionary that Ultralytics' trainer leaves, the network in float16 as its `model`."""
    network.args = ultralytics_module("ultralytics.utils").IterableSimpleNamespace(imgsz=input_side)
    content = {"epoch": -1, "best_fitness": None, "model": network.half(), "ema": None, "optimizer": None}
    torch.save({**content, "train_args": {"imgsz": input_side, "task": "detect"}, **more}, path)
    return path


def with_old_names(path: Path) -> Path:
    """Rewrite a checkpoint so that it names Ultralytics' modules as they were called in 2023."""
    with zipfile.ZipFile(path) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    (program,) = (entry for entry in entries if entry.endswith("/data.pkl"))
    for today, then in OLD_NAMES.items():
        entries[program] = entries[program].replace(today.encode(), then.encode())
    return write_archive(path, entries)


def write_archive(path: Path, entries: dict[str, bytes]) -> Path:
    """Write a zip file as torch does: nothing compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def write_program(path: Path, program: bytes) -> Path:
    """Write a checkpoint without tensors, whose pickle is given."""
    return write_archive(path, {"a/data.pkl": program, "a/version": b"3\n", "a/byteorder": b"little"})


def pickled(content: object) -> bytes:
    """The pickle of an object, in the protocol of torch.save."""
    stream = io.BytesIO()
    pickle.Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()
