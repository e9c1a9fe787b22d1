"""Exported networks on ONNX Runtime, with the same calls as the PyTorch networks they were made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import WeightsError
from ..models.detector.detector import Detections, find_boxes
from ..types import Picture
from .graphs import BOTTOM_RIGHT, PADDING, TOP_LEFT
from .writing import DESCRIPTION, require

PROMPTS_AT_ONCE = {"nano": 64, "sam": 8}
"""SAM's exported decoder makes an image of its own for each prompt, about 60 MB at a time."""


def read_description(folder: Path) -> dict[str, Any]:
    """The description that lies beside exported files.

    Raises:
        WeightsError: if there is none, or it is none of ours.
    """
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder} has no {DESCRIPTION}; name a folder that `mobilesamv2 export` wrote.") from None
    except ValueError as error:
        raise WeightsError(f"{path} is not valid JSON: {error}. Export the model again.") from error
    if not isinstance(described, dict) or "opset" not in described:
        raise WeightsError(f"{path} describes no exported model. Export it again.")
    return described


class OnnxNetwork:
    """Image encoder and mask decoder on ONNX Runtime, on the CPU (a `PromptableNetwork`).

    Args:
        folder: of exported files.

    Raises:
        WeightsError: if it holds no segmentation model, or a file cannot be read.
        MobileSamError: if ONNX Runtime is not installed.
    """

    device = torch.device("cpu")
    dtype = torch.float32
    runtime = "ONNX Runtime"

    def __init__(self, folder: Path) -> None:
        described = read_description(folder).get("segmenter")
        if not described:
            raise WeightsError(f"{folder} holds a detector and no segmentation model.")
        self.input_side: int = described["input_side"]
        self.picture_side: int = described["picture_side"]
        self.prompts_at_once = PROMPTS_AT_ONCE[described["kind"]]
        self._encoder = _session(folder, described["encoder"])
        self._decoder = _session(folder, described["decoder"])

    def encode(self, pixels: Tensor) -> Tensor:
        """As `PromptableNetwork.encode`."""
        (features,) = _run(self._encoder, {"images": pixels})
        return features

    def share(self, features: Tensor) -> None:
        """Nothing: the decoder's file begins anew with the features."""

    def decode(
        self,
        features: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        shared: None = None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """As `PromptableNetwork.decode`. Prompts with masks are decoded one by one: the file takes one mask."""
        del shared
        coords, kinds = _as_points(points, labels, boxes_xyxy)
        chosen = slice(1, None) if multimask else slice(0, 1)
        if len(coords) == 0:
            count = 3 if multimask else 1
            size_hw = (4 * features.shape[2], 4 * features.shape[3])
            return features.new_zeros(0, count, *size_hw), features.new_zeros(0, count)
        if masks is None:
            answers = [self.answers(features, coords, kinds)]
        else:
            each = (slice(index, index + 1) for index in range(len(coords)))
            answers = [self.answers(features, coords[one], kinds[one], masks[one]) for one in each]
        logits, iou = (torch.cat(parts)[:, chosen] for parts in zip(*answers, strict=True))
        return logits, iou

    def answers(
        self, features: Tensor, coords: Tensor, labels: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """What the decoder's file gives, by the shapes of `SamDecoderGraph.forward`."""
        nothing = features.new_zeros(1, 1, 4 * features.shape[2], 4 * features.shape[3])
        logits, iou = _run(
            self._decoder,
            {
                "image_embeddings": features,
                "point_coords": coords,
                "point_labels": labels,
                "mask_input": nothing if mask is None else mask,
                "has_mask_input": torch.tensor([float(mask is not None)]),
            },
        )
        return logits, iou


class OnnxDetector:
    """Object detector on ONNX Runtime, on the CPU (a `BoxPredictor`).

    Args:
        folder: of exported files.

    Raises:
        WeightsError, MobileSamError: as `OnnxNetwork`.
    """

    device = torch.device("cpu")

    def __init__(self, folder: Path) -> None:
        described = read_description(folder)["detector"]
        self.input_side: int = described["input_side"]
        self.second_side: int = described["second_side"]
        self.nms_iou: float = described["nms_iou"]
        self.vote_iou: float | None = described["vote_iou"]
        self.stride: int = described["stride"]
        self._session = _session(folder, described["network"])

    def predict(self, pixels: Picture) -> Tensor:
        """As `ObjectDetector.predict`, for one class."""
        pictures = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
        boxes, scores = _run(self._session, {"images": pictures})
        corners = boxes[0].T  # (4, A)
        centre, size = (corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]
        return torch.cat([centre, size, scores[0]])

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        """As `ObjectDetector.detect`."""
        return find_boxes(self, picture, confidence=confidence, iou=iou, max_boxes=max_boxes)


def _as_points(points: Tensor | None, labels: Tensor | None, boxes_xyxy: Tensor | None) -> tuple[Tensor, Tensor]:
    """Prompts as points (N, P, 2) and labels float32 (N, P): corners of boxes last, else a padding point."""
    count = max(0 if part is None else len(part) for part in (points, boxes_xyxy))
    if boxes_xyxy is None:
        last, kinds = torch.zeros(count, 1, 2), [PADDING]
    else:
        last, kinds = boxes_xyxy.reshape(-1, 2, 2), [TOP_LEFT, BOTTOM_RIGHT]
    coords, told = [last], [torch.tensor(kinds, dtype=torch.float32).expand(count, -1)]
    if points is not None and labels is not None:
        coords.insert(0, points)
        told.insert(0, labels)
    return torch.cat([part.float() for part in coords], 1), torch.cat([part.float() for part in told], 1)


def _session(folder: Path, described: Mapping[str, Any]) -> Any:
    """One file, ready to run on as many cores as PyTorch uses."""
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    path = folder / described["file"]
    errors = onnxruntime.capi.onnxruntime_pybind11_state
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except (errors.Fail, errors.InvalidGraph, errors.InvalidProtobuf, errors.NoSuchFile) as error:
        raise WeightsError(f"{path} cannot be read by ONNX Runtime: {error} Export the model again.") from error


def _readable(value: Tensor) -> Tensor:
    """The tensor in a format that NumPy has: embeddings of PyTorch's networks may be in bfloat16."""
    return value.float() if value.dtype in (torch.bfloat16, torch.float16) else value


def _run(session: Any, inputs: Mapping[str, Tensor]) -> list[Tensor]:
    arrays = {name: np.ascontiguousarray(_readable(value).numpy()) for name, value in inputs.items()}
    return [torch.from_numpy(output) for output in session.run(None, arrays)]
