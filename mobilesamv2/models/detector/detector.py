"""Finds the boxes of objects in a picture with a YOLO network of the Ultralytics package.

The network runs as a plain module, so neither Ultralytics' predictor nor torchvision is needed; Ultralytics itself
is imported when a network is built, not before. Which checkpoint is loaded, on which device and in which
precision, is for others to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from ...inference import inference
from ...ops.boxes import voted_boxes
from ...ops.nms import nms
from ...types import Floats, Picture
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
    "snap_to_border",
]

FIRST_FROM = 0.12
"""Boxes of the first look count if their longer side is at least this share of the picture's."""
SECOND_BELOW = 0.25
"""Boxes of the second look count if their longer side is below this share of the picture's."""
LOOK_BOXES = 2000
"""Each of two looks gives at most so many boxes."""
SNAP_PIXELS = 20.0
"""Edges of boxes nearer than this to the border of the detector's input move onto it, as in MobileSAMv2."""


@dataclass(frozen=True, eq=False)
class Detections:
    """N boxes of one picture, best first.

    Args:
        boxes_xyxy: float32 (N, 4) in pixels of the original picture, inside it and with an area.
        scores: float32 (N,), confidence in 0..1, falling.
    """

    boxes_xyxy: Floats = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    scores: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        if self.boxes_xyxy.shape != (len(self.scores), 4) or self.scores.ndim != 1:
            raise ValueError(
                f"Boxes must have the shape (N, 4) and scores (N,); got {self.boxes_xyxy.shape} "
                f"and {self.scores.shape}."
            )

    def __len__(self) -> int:
        return len(self.scores)


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
        self.strides = tuple(
            float(stride) for stride in self._head.stride
        )  # numbers: tensors could not be traced
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


def merge_looks(
    first: Detections,
    second: Detections,
    *,
    size_hw: tuple[int, int],
    iou: float,
    max_boxes: int,
    vote_iou: float | None = None,
) -> Detections:
    """Boxes of two looks at one picture: large ones from the first, small ones from the second, which sees it larger.

    Sizes are the longer side of a box as a share of the picture's; `FIRST_FROM` and `SECOND_BELOW` say which count.
    """
    longest = max(size_hw)
    parts = []
    for found, kept in (
        (first, _longer_sides(first) >= FIRST_FROM * longest),
        (second, _longer_sides(second) < SECOND_BELOW * longest),
    ):
        parts.append((found.boxes_xyxy[kept], found.scores[kept]))
    boxes = np.concatenate([part[0] for part in parts])
    scores = np.concatenate([part[1] for part in parts])
    chosen = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou)[:max_boxes]
    kept = torch.from_numpy(boxes)[chosen]
    if vote_iou is not None:  # after suppression: what moved nearer to another box stays
        kept = voted_boxes(torch.from_numpy(boxes), torch.from_numpy(scores), chosen, iou=vote_iou)
    return Detections(boxes_xyxy=kept.numpy(), scores=scores[chosen.numpy()])


def _longer_sides(found: Detections) -> Floats:
    sides: Floats = (found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]).max(axis=1, initial=0)
    return sides


def decode_boxes(raw: Tensor, *, sizes_hw: Sequence[tuple[int, ...]], strides: Sequence[float]) -> Tensor:
    """Turn the distances a YOLOv8 head predicts into boxes.

    From the centre of its cell every anchor predicts the distances to the left, top, right and bottom edge,
    each as a distribution over whole cells whose mean is taken; a head with a single bin gives them as they are.

    Args:
        raw: (B, 4 * bins, A), logits, or distances in cells; anchors level by level, row by row.
        sizes_hw: rows and columns of cells in each level.
        strides: side of a cell in input pixels, for each level.

    Returns:
        (B, 4, A): centre x, centre y, width, height in input pixels.
    """
    batch, channels, anchors = raw.shape
    bins = channels // 4
    steps = torch.arange(bins, dtype=raw.dtype, device=raw.device)
    distributions = raw.view(batch, 4, bins, anchors)
    distances = (
        distributions[:, :, 0]
        if bins == 1
        else torch.einsum("bekn,k->ben", distributions.softmax(dim=2), steps)
    )
    centres, cells = [], []
    for (height, width), stride in zip(sizes_hw, strides, strict=True):
        y = torch.arange(height, device=raw.device)[:, None].expand(height, width)
        x = torch.arange(width, device=raw.device).expand(height, width)
        centres.append(torch.stack([x.flatten(), y.flatten()]) + 0.5)
        cells.append(raw.new_full((height * width,), stride))
    centre = torch.cat(centres, dim=1).to(raw)  # (2, A), in cells
    first, last = centre - distances[:, :2], centre + distances[:, 2:]
    return torch.cat([(first + last) / 2, last - first], dim=1) * torch.cat(cells)


def boxes_from_predictions(
    predictions: Tensor,
    letterbox: Letterbox,
    *,
    confidence: float = 0.4,
    iou: float = NMS_IOU,
    max_boxes: int = 320,
    classes: int = 1,
) -> Detections:
    """Choose among the boxes a network predicts for one picture, and bring them to original pixels.

    After non-maximum suppression, edges near the border of the input are moved onto it (see `SNAP_PIXELS`),
    then the letter box is undone and boxes are clipped. Boxes left without an area are dropped.

    Args:
        predictions: (4 + classes + any, A): centre x, centre y, width, height in input pixels, then a
            confidence per class in 0..1; further rows are not used.
        letterbox: how the picture lies in the input.
        iou: of non-maximum suppression; 1: none.
        classes: how many rows are confidences; a box counts by the best of them, and its class not at all.
    """
    rows = predictions[: 4 + classes].float()
    rows = rows[:, rows[4:].amax(dim=0) > confidence]
    best, centre, half = rows[4:].amax(dim=0), rows[:2], rows[2:4] / 2
    corners = torch.cat([centre - half, centre + half]).T  # (N, 4)
    in_order = best.sort(descending=True, stable=True).indices if iou >= 1 else nms(corners, best, iou)
    kept = in_order[:max_boxes]
    boxes = np.asarray(corners[kept].cpu().numpy(), dtype=np.float32)
    height, width = letterbox.shape_hw
    boxes = letterbox.boxes_to_original(snap_to_border(boxes, shape_hw=(height, width)))
    scores = np.asarray(best[kept].cpu().numpy(), dtype=np.float32)
    solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes_xyxy=boxes[solid], scores=scores[solid])


def snap_to_border(boxes_xyxy: Floats, *, shape_hw: tuple[int, int]) -> Floats:
    """Move edges of boxes (N, 4) that are nearer than `SNAP_PIXELS` to the border of `shape_hw` onto it."""
    height, width = shape_hw
    snapped = boxes_xyxy.copy()
    snapped[:, :2][boxes_xyxy[:, :2] < SNAP_PIXELS] = 0
    for column, side in ((2, width), (3, height)):
        snapped[boxes_xyxy[:, column] > side - SNAP_PIXELS, column] = side
    return snapped
