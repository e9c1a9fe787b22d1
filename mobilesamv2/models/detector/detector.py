"""Finds the boxes of objects in a picture with a YOLO network of the Ultralytics package.

The network runs as a plain module, so neither Ultralytics' predictor nor torchvision is needed; Ultralytics itself
is imported when a network is built, not before. Which checkpoint is loaded, on which device and in which
precision, is for others to say.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from ...inference import inference
from ...types import Picture
from .boxes import Detections, boxes_from_predictions, decode_boxes, merge_looks, snap_to_border
from .config import NMS_IOU, DetectorConfig
from .letterbox import Letterbox
from .network import build_detector_module, fuse_batch_norm

__all__ = [
    "NMS_IOU",
    "Detections",
    "DetectorConfig",
    "Letterbox",
    "ObjectDetector",
    "boxes_from_predictions",
    "build_detector_module",
    "decode_boxes",
    "fuse_batch_norm",
    "merge_looks",
    "snap_to_border",
]

LOOK_BOXES = 2000
"""Each of two looks gives at most so many boxes."""


class ObjectDetector(nn.Module):
    """Runs a detection network on pictures; follows the device and the precision its parameters have.

    Its state-dict keys are those of the network behind `network.`.

    Args:
        network: an Ultralytics `DetectionModel` or a `LiteDetector`, from `build_detector_module`.
        input_side: longer side in pixels that pictures are scaled to.
        second_side: the same of a second look, for small objects (`merge_looks`); 0: there is none.
        nms_iou: non-maximum suppression that suits the network: of two boxes that overlap by more than this, only the
            better is given, unless `detect` is told otherwise.
        vote_iou: of two looks, the better one becomes the mean of those that overlap it by at least this
            (`voted_boxes`); None: it stays as it is.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        input_side: int = 1024,
        second_side: int = 0,
        nms_iou: float = NMS_IOU,
        vote_iou: float | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.input_side = input_side
        self.second_side = second_side
        self.nms_iou = nms_iou
        self.strides = tuple(float(stride) for stride in self._head.stride)  # numbers: tensors could not be traced
        self.vote_iou = vote_iou
        self.eval()

    @property
    def stride(self) -> int:
        """Multiple that both sides of the input are padded to: the coarsest stride of the network."""
        return int(max(self.strides))

    @property
    def _head(self) -> Any:
        return cast(Any, self.network).model[-1]

    def train(self, mode: bool = True) -> ObjectDetector:
        """Set training or evaluation mode of everything but the detection head's decoder."""
        super().train(mode)
        # In its training mode the head returns what it predicts as it is. Otherwise it decodes boxes in the
        # module's precision (pixels off in bfloat16), with anchors of the last call (threads would mix them).
        self._head.training = True
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        """Predict one box per anchor.

        Args:
            pictures: (B, 3, H, W) RGB in 0..1; H and W are multiples of the stride.

        Returns:
            float32 (B, 4 + classes, A): centre x, centre y, width, height in input pixels, then a confidence
            per class in 0..1. Anchors come level by level, row by row.
        """
        raw = self.network(pictures)
        sizes = [tuple(level.shape[-2:]) for level in raw["feats"]]
        boxes = decode_boxes(raw["boxes"].float(), sizes_hw=sizes, strides=self.strides)
        return torch.cat([boxes, raw["scores"].float().sigmoid()], dim=1)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.network.parameters()).device

    def predict(self, pixels: Picture) -> Tensor:
        """As `forward`, for one input in 8 bits (H, W, 3): float32 (4 + classes, A)."""
        parameter = next(self.network.parameters())
        moved = torch.from_numpy(pixels).to(parameter.device)
        pictures = moved.permute(2, 0, 1)[None].to(parameter.dtype) / 255  # (1, 3, H, W)
        predictions: Tensor = self(pictures)
        return predictions[0]

    def detect(
        self, picture: Picture, *, confidence: float = 0.4, iou: float | None = None, max_boxes: int = 320
    ) -> Detections:
        """Find the boxes of objects in a picture of any size.

        Args:
            picture: uint8 RGB (H, W, 3).
            confidence: only boxes with a higher score are given.
            iou: of two boxes that overlap by more than this, only the better is given; None: `nms_iou`.
            max_boxes: at most so many boxes, the best ones.
        """
        return find_boxes(self, picture, confidence=confidence, iou=iou, max_boxes=max_boxes)


class BoxPredictor(Protocol):
    """What predicts a box for each anchor of an input: an `ObjectDetector`, or its network on another runtime."""

    @property
    def input_side(self) -> int:
        """Longer side in pixels that pictures are scaled to."""
        ...

    @property
    def second_side(self) -> int:
        """The same of a second look; 0: there is none."""
        ...

    @property
    def nms_iou(self) -> float:
        """Non-maximum suppression that suits the network."""
        ...

    @property
    def vote_iou(self) -> float | None:
        """As `ObjectDetector` takes it."""
        ...

    @property
    def stride(self) -> int:
        """Multiple that both sides of the input are padded to."""
        ...

    @property
    def device(self) -> torch.device:
        """Where `predict` runs."""
        ...

    def predict(self, pixels: Picture) -> Tensor:
        """Predict on an input in 8 bits (H, W, 3): (4 + classes, A), as `boxes_from_predictions` reads it."""
        ...


def find_boxes(
    predictor: BoxPredictor, picture: Picture, *, confidence: float, iou: float | None, max_boxes: int
) -> Detections:
    """Find the boxes of objects in a picture, in one look or two; takes what `ObjectDetector.detect` takes."""
    iou = predictor.nms_iou if iou is None else iou
    if not predictor.second_side:
        return _look(
            predictor,
            picture,
            input_side=predictor.input_side,
            confidence=confidence,
            iou=iou,
            max_boxes=max_boxes,
        )
    # Of each look only some sizes count, so the best few of all sizes would not do.
    look = partial(_look, predictor, picture, confidence=confidence, iou=1.0, max_boxes=LOOK_BOXES)
    return merge_looks(
        look(input_side=predictor.input_side),
        look(input_side=predictor.second_side),
        size_hw=(picture.shape[0], picture.shape[1]),
        iou=iou,
        max_boxes=max_boxes,
        vote_iou=predictor.vote_iou,
    )


def _look(
    predictor: BoxPredictor,
    picture: Picture,
    *,
    input_side: int,
    confidence: float,
    iou: float,
    max_boxes: int,
) -> Detections:
    """Find boxes at one scale."""
    size_hw = picture.shape[0], picture.shape[1]
    letterbox = Letterbox(size_hw=size_hw, input_side=input_side, stride=predictor.stride)
    with inference(predictor.device):
        predictions = predictor.predict(letterbox.apply(picture))
        return boxes_from_predictions(
            predictions,
            letterbox,
            confidence=confidence,
            iou=iou,
            max_boxes=max_boxes,
            classes=len(predictions) - 4,
        )
