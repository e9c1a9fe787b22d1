"""Writes networks as ONNX files, and beside them a description in JSON.

A description is written last: a folder that has one is complete.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..build import SamWeights, build_detector, build_sam
from ..errors import MobileSamError, UnknownModelError
from ..models.detector.boxes import FIRST_FROM, SECOND_BELOW, SNAP_PIXELS
from ..models.detector.detector import ObjectDetector
from ..models.nano.model import NanoModel
from ..models.preprocess import PIXEL_MEAN, PIXEL_STD
from ..models.sam import Sam
from ..warning_filters import ignored_warnings
from ..zoo import DETECTORS, MODELS, DetectorEntry, ModelEntry
from .graphs import DetectorGraph, EncoderGraph, NanoDecoderGraph, SamDecoderGraph

DESCRIPTION = "model.json"
"""Name of the description in a folder of exported files."""
OPSET = 18
"""The oldest that PyTorch's exporter writes, so that the most programs read it."""
ENCODER, DECODER, DETECTOR = "encoder.onnx", "decoder.onnx", "detector.onnx"


def export_onnx(
    name: str,
    folder: str | Path,
    *,
    weights: SamWeights | None = None,
    detector: str | Path | None = None,
    with_detector: bool = True,
) -> dict[str, Any]:
    """Write a model and its detector, or a detector alone, as ONNX.

    Args:
        name: of a model, or name or checkpoint path of a detector.
        folder: made where there is none; files of those names in it are replaced.
        weights: of a model, as `build_sam` takes them.
        detector: name or checkpoint path of another detector than the model's usual one.
        with_detector: False: a model alone.

    Returns:
        The description: names, shapes, how to prepare a picture, licences.

    Raises:
        UnknownModelError, WeightsError: as `build_sam` and `build_detector`.
        MobileSamError: if packages of the extra `onnx` are missing, or an option does not belong to a detector.
    """
    require("onnx", "onnxscript")
    entry = MODELS.get(name)
    if entry is None and name not in DETECTORS and not Path(name).suffix:
        names = ", ".join([*MODELS, *DETECTORS])
        raise UnknownModelError(f'There is no model or detector "{name}". There are: {names}.')
    if entry is None and (weights is not None or detector is not None):
        raise MobileSamError(f"{name} is no model but a detector; export it without other weights or detectors.")
    objects: str | Path | None = name
    if entry is not None:
        objects = (detector or entry.detector) if with_detector else None
    described: dict[str, Any] = {"name": name if entry else Path(name).name, "opset": OPSET}
    with plain_path(), _staged(Path(folder)) as staged:
        if entry is not None:
            network = build_sam(name, weights=weights, device="cpu", dtype=torch.float32)
            licence = None if weights is not None else licence_of(entry)
            described["segmenter"] = {"licence": licence} | write_segmenter(network, staged)
            del network  # of large models there is memory for one at a time
        if objects is not None:
            found = build_detector(objects, device="cpu", dtype=torch.float32)
            known = DETECTORS.get(str(objects))
            licence = None if known is None else licence_of(known)
            described["detector"] = {"name": Path(objects).name, "licence": licence}
            described["detector"] |= write_detector(found, staged)
        (staged / DESCRIPTION).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return described


def licence_of(entry: ModelEntry | DetectorEntry) -> str:
    """The licences of the files of an entry of the zoo."""
    return " and ".join(dict.fromkeys(file.licence for file in entry.files.values()))


def write_segmenter(network: Sam | NanoModel, folder: Path) -> dict[str, Any]:
    """Write `encoder.onnx` and `decoder.onnx`, and return what the description says of them."""
    encoder = write_encoder(network, folder)
    return {
        "kind": "nano" if isinstance(network, NanoModel) else "sam",
        "input_side": network.input_side,
        "picture_side": network.picture_side,
        "mean": PIXEL_MEAN,
        "std": PIXEL_STD,
        "encoder": encoder,
        "decoder": write_decoder(network, folder, embedding=encoder["outputs"]["image_embeddings"]),
    }


def write_encoder(network: Sam | NanoModel, folder: Path) -> dict[str, Any]:
    """Write `encoder.onnx`: its name, and its inputs and outputs with their shapes."""
    pixels = torch.zeros(1, 3, network.picture_side, network.picture_side)
    return _write(EncoderGraph(network), (pixels,), folder / ENCODER, inputs=["images"], outputs=["image_embeddings"])


def write_decoder(network: Sam | NanoModel, folder: Path, *, embedding: Sequence[int]) -> dict[str, Any]:
    """Write `decoder.onnx`, for embeddings of that shape."""
    features = torch.zeros(*embedding)
    mask = torch.zeros(1, 1, 4 * features.shape[2], 4 * features.shape[3])
    # Four prompts of three points: no size that anything else has.
    points = torch.linspace(0, network.input_side - 1, 24).reshape(4, 3, 2)
    labels = torch.tensor([1.0, 2.0, 3.0]).repeat(4, 1)
    labels[:2] = torch.tensor([1.0, 0.0, -1.0])
    same = torch.export.Dim.DYNAMIC  # as those of the points, which have the names
    return _write(
        NanoDecoderGraph(network) if isinstance(network, NanoModel) else SamDecoderGraph(network),
        (features, points, labels, mask, torch.zeros(1)),
        folder / DECODER,
        inputs=["image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input"],
        outputs=["low_res_masks", "iou_predictions"],
        dynamic=(None, {0: "prompts", 1: "points"}, {0: same, 1: same}, None, None),
    )


def write_detector(detector: ObjectDetector, folder: Path) -> dict[str, Any]:
    """Write `detector.onnx`, and return what the description says of it."""
    stride = detector.stride
    height, width = (stride * torch.export.Dim(name, min=2) for name in ("rows", "columns"))
    return {
        "input_side": detector.input_side,
        "second_side": detector.second_side,
        "first_from": FIRST_FROM,
        "second_below": SECOND_BELOW,
        "snap_pixels": SNAP_PIXELS,
        "stride": stride,
        "nms_iou": detector.nms_iou,
        "vote_iou": detector.vote_iou,
        "network": _write(
            DetectorGraph(detector),
            (torch.zeros(1, 3, 4 * stride, 6 * stride),),
            folder / DETECTOR,
            inputs=["images"],
            outputs=["boxes", "scores"],
            dynamic=({2: height, 3: width},),
        ),
    }


def _write(
    graph: nn.Module,
    examples: tuple[Tensor, ...],
    path: Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    dynamic: tuple[dict[int, Any] | None, ...] | None = None,
) -> dict[str, Any]:
    """Export one graph; returns its file, and its inputs and outputs with their shapes."""
    # PyTorch's exporter uses what PyTorch itself says is deprecated.
    with ignored_warnings(category=FutureWarning, module="copy|torch"):
        program = torch.onnx.export(
            graph.eval(),
            examples,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamic_shapes=dynamic,
            verbose=False,
        )
    assert program is not None
    own: Any = program.model.graph
    names = {str(side.value) for value in own.inputs for side in value.shape if not isinstance(side, int)}
    for value in own.outputs:  # what the exporter could only call "21*s18*s30"
        for index, side in enumerate(value.shape):
            if not isinstance(side, int) and str(side.value) not in names:
                value.shape[index] = "anchors"
    program.save(path)
    return {
        "file": path.name,
        "inputs": {value.name: _shape(value) for value in own.inputs},
        "outputs": {value.name: _shape(value) for value in own.outputs},
    }


def _shape(value: Any) -> list[int | str]:
    return [side if isinstance(side, int) else str(side.value) for side in value.shape]


@contextmanager
def plain_path() -> Iterator[None]:
    """With gradients the networks use no caches, fused layers, threads or tiles: only what can be traced."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder to write in whose files go to `folder` when all are there, the description last."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as staged:
        yield Path(staged)
        (folder / DESCRIPTION).unlink(missing_ok=True)
        for path in sorted(Path(staged).iterdir(), key=lambda path: path.name == DESCRIPTION):
            os.replace(path, folder / path.name)


def require(*packages: str) -> None:
    """Refuse to go on without packages of the extra.

    Raises:
        MobileSamError: with the command that installs them.
    """
    from importlib.util import find_spec

    if missing := [name for name in packages if find_spec(name) is None]:
        raise MobileSamError(f'ONNX needs {" and ".join(missing)}: install the extra, `pip install -e ".[onnx]"`.')
