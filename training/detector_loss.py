"""The loss of an anchor-free detector with one class: which cells answer for which object, and how well they do.

Task-aligned assignment (Feng et al. 2021, as YOLOv8 has it): the cells near an object's centre whose confidence and box
suit it best are to answer for it. Only pairs of an object and a cell near its centre are looked at, so a level of fine
cells costs little: a dense table of objects and cells would take longer than the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mobilesamv2.models.detector.detector import decode_boxes

WINDOW = 7
"""Cells per side, around an object's centre, that may answer for it on a level."""
CELLS = (2.5, 20.0)
"""Cells that the longer side of an object has on a level that may answer for it; the finest and the coarsest level
also take what is smaller and larger."""
LEAST_SIDE = 1.6
"""An object counts as at least so many cells wide and high when cells inside it are looked for."""


@dataclass(frozen=True)
class LossConfig:
    """Weights of the three parts, and the assignment.

    Args:
        box, score, distance: gains of the box's IoU, of the confidence and of the distribution over distances.
        cells_per_object: at most so many cells answer for an object.
        score_power, iou_power: how much each counts when cells are compared.
    """

    box: float = 7.5
    score: float = 0.5
    distance: float = 1.5
    cells_per_object: int = 10
    score_power: float = 0.5
    iou_power: float = 6.0


@dataclass(frozen=True, eq=False)
class Assignment:
    """P cells that are to answer for objects.

    Args:
        cells: int64 (P,), index into all cells of all pictures.
        objects: int64 (P,), which object.
        scores: float32 (P,), the confidence they are to have.
    """

    cells: Tensor
    objects: Tensor
    scores: Tensor


def detector_loss(
    raw: dict[str, Tensor],
    *,
    sizes_hw: Sequence[tuple[int, int]],
    strides: Sequence[float],
    boxes_xyxy: Tensor,
    picture_index: Tensor,
    background: Tensor,
    config: LossConfig,
) -> Tensor:
    """Its parts for a batch: box, score and distance, each with its gain; their sum is what to minimise.

    Args:
        raw: what the head gives: "boxes" (B, 4 * bins, A) and "scores" (B, 1, A), float32 logits.
        sizes_hw: rows and columns of cells of each level.
        strides: side of a cell in pixels for each level.
        boxes_xyxy: (N, 4) in pixels, of all pictures.
        picture_index: int64 (N,), which picture each box is in.
        background: (B, A) in 0..1; what a cell without an object counts.
    """
    logits = raw["scores"][:, 0]
    pictures, cells = logits.shape
    centres, stride_of = cell_grid(sizes_hw, strides, device=logits.device)
    with torch.no_grad():
        decoded = to_corners(decode_boxes(raw["boxes"], sizes_hw=sizes_hw, strides=strides))
        found = assign(
            scores=logits.sigmoid().flatten(),
            predicted=decoded.transpose(1, 2).reshape(-1, 4),
            boxes_xyxy=boxes_xyxy,
            picture_index=picture_index,
            sizes_hw=sizes_hw,
            strides=strides,
            config=config,
        )
    wanted = logits.new_zeros(pictures * cells)
    wanted[found.cells] = found.scores
    weight = background.flatten().clone()
    weight[found.cells] = 1.0
    total = found.scores.sum().clamp(min=1.0)
    cross = F.binary_cross_entropy_with_logits(logits.flatten(), wanted, reduction="none")
    score = (cross * weight).sum() / total
    bins = raw["boxes"].shape[1] // 4
    # (P, 4, bins): logits of the cells that answer, no others are decoded with gradients.
    distances = raw["boxes"].transpose(1, 2).reshape(pictures * cells, 4, bins)[found.cells]
    at, step = centres[found.cells % cells], stride_of[found.cells % cells, None]
    truth = boxes_xyxy[found.objects]
    steps = torch.arange(bins, dtype=logits.dtype, device=logits.device)
    mean = (distances.softmax(dim=2) * steps).sum(dim=2) * step
    boxes = torch.cat([at - mean[:, :2], at + mean[:, 2:]], dim=1)
    overlap = ((1 - complete_iou(boxes, truth)) * found.scores).sum() / total
    edges = torch.cat([at - truth[:, :2], truth[:, 2:] - at], dim=1) / step
    distance = (distribution_loss(distances, edges) * found.scores).sum() / total
    return torch.stack([config.box * overlap, config.score * score, config.distance * distance])


@torch.no_grad()
def assign(
    *,
    scores: Tensor,
    predicted: Tensor,
    boxes_xyxy: Tensor,
    picture_index: Tensor,
    sizes_hw: Sequence[tuple[int, int]],
    strides: Sequence[float],
    config: LossConfig,
) -> Assignment:
    """Choose the cells that answer for each object; none answers for two.

    Args:
        scores: (B * A,) confidences in 0..1.
        predicted: (B * A, 4) boxes in pixels, corners.
        boxes_xyxy, picture_index, sizes_hw, strides: as for `detector_loss`.
    """
    cells = sum(height * width for height, width in sizes_hw)
    candidates, inside = near_cells(boxes_xyxy, sizes_hw=sizes_hw, strides=strides)  # (N, K)
    candidates = candidates + picture_index[:, None] * cells
    near = predicted[candidates]  # (N, K, 4)
    overlap = complete_iou(near, boxes_xyxy[:, None].expand_as(near)).clamp(min=0) * inside
    quality = scores[candidates].pow(config.score_power) * overlap.pow(config.iou_power)
    kept = min(config.cells_per_object, quality.shape[1])
    # Early on all qualities are nearly 0: a little for every cell inside keeps some of them anyway.
    best = (quality + 1e-9 * inside).topk(kept, dim=1).indices
    chosen = torch.gather(inside, 1, best)
    objects, place = chosen.nonzero(as_tuple=True)
    place = best[objects, place]
    cell, iou, quality = candidates[objects, place], overlap[objects, place], quality[objects, place]
    # A cell that several objects want answers for the one it meets best.
    order = iou.argsort()
    owner = torch.full((len(scores),), -1, dtype=torch.int64, device=scores.device)
    owner[cell[order]] = order
    mine = owner[cell] == torch.arange(len(cell), device=scores.device)
    cell, objects, iou, quality = cell[mine], objects[mine], iou[mine], quality[mine]
    most = quality.new_zeros(2, len(boxes_xyxy))
    most[0].scatter_reduce_(0, objects, quality, "amax")
    most[1].scatter_reduce_(0, objects, iou, "amax")
    return Assignment(cells=cell, objects=objects, scores=quality / (most[0, objects] + 1e-9) * most[1, objects])


def near_cells(
    boxes_xyxy: Tensor, *, sizes_hw: Sequence[tuple[int, int]], strides: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Cells around the centres of boxes (N, 4): their index within a picture (N, K), and which of them may answer."""
    centre = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
    side = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    longest = side.amax(dim=1)
    around = torch.arange(WINDOW, device=boxes_xyxy.device) - WINDOW // 2
    first, indices, valid = 0, [], []
    for level, ((height, width), stride) in enumerate(zip(sizes_hw, strides, strict=True)):
        at = (centre / stride).floor()
        x = at[:, :1].long() + around.repeat(WINDOW)
        y = at[:, 1:].long() + around.repeat_interleave(WINDOW)
        half = side.clamp(min=LEAST_SIDE * stride) / 2
        suits = torch.ones_like(longest, dtype=torch.bool)
        if level > 0:
            suits &= longest >= CELLS[0] * stride
        if level < len(strides) - 1:
            suits &= longest <= CELLS[1] * stride
        valid.append(
            (x >= 0) & (x < width) & (y >= 0) & (y < height)
            & (((x + 0.5) * stride - centre[:, :1]).abs() < half[:, :1])
            & (((y + 0.5) * stride - centre[:, 1:]).abs() < half[:, 1:])
            & suits[:, None]
        )  # fmt: skip
        indices.append(first + y.clamp(0, height - 1) * width + x.clamp(0, width - 1))
        first += height * width
    return torch.cat(indices, dim=1), torch.cat(valid, dim=1)


def cell_grid(
    sizes_hw: Sequence[tuple[int, int]], strides: Sequence[float], *, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Centres (A, 2) in pixels, x first, and strides (A,) of all cells, level by level, row by row."""
    centres, steps = [], []
    for (height, width), stride in zip(sizes_hw, strides, strict=True):
        y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
        centres.append((torch.stack([x.flatten(), y.flatten()], dim=1) + 0.5) * stride)
        steps.append(torch.full((height * width,), float(stride), device=device))
    return torch.cat(centres), torch.cat(steps)


def to_corners(boxes_cxcywh: Tensor) -> Tensor:
    """(B, 4, A) centres and sizes to corners."""
    centre, half = boxes_cxcywh[:, :2], boxes_cxcywh[:, 2:] / 2
    return torch.cat([centre - half, centre + half], dim=1)


def complete_iou(boxes: Tensor, truth: Tensor) -> Tensor:
    """CIoU (Zheng et al. 2020) of boxes (..., 4) with others, corner by corner, each with its partner."""
    side, other = boxes[..., 2:] - boxes[..., :2], truth[..., 2:] - truth[..., :2]
    shared = (
        (torch.minimum(boxes[..., 2:], truth[..., 2:]) - torch.maximum(boxes[..., :2], truth[..., :2]))
        .clamp(min=0)
        .prod(dim=-1)
    )
    iou = shared / (side.prod(dim=-1) + other.prod(dim=-1) - shared + 1e-7)
    around = torch.maximum(boxes[..., 2:], truth[..., 2:]) - torch.minimum(boxes[..., :2], truth[..., :2])
    apart = ((boxes[..., :2] + boxes[..., 2:] - truth[..., :2] - truth[..., 2:]) ** 2).sum(dim=-1) / 4
    turn = torch.atan(other[..., 0] / (other[..., 1] + 1e-7)) - torch.atan(side[..., 0] / (side[..., 1] + 1e-7))
    shape = (4 / math.pi**2) * turn**2
    with torch.no_grad():
        weight = shape / (shape - iou + 1 + 1e-7)
    return iou - apart / ((around**2).sum(dim=-1) + 1e-7) - weight * shape


def distribution_loss(logits: Tensor, distances: Tensor) -> Tensor:
    """Cross-entropy of the two bins on both sides of each distance, weighted by nearness, mean of the four edges.

    Args:
        logits: (P, 4, bins).
        distances: (P, 4), in cells.

    Returns:
        (P,).
    """
    bins = logits.shape[2]
    wanted = distances.clamp(0, bins - 1.01)
    left = wanted.floor().long()
    share = left + 1 - wanted
    log = logits.log_softmax(dim=2)
    near = torch.gather(log, 2, left[..., None])[..., 0] * share
    far = torch.gather(log, 2, left[..., None] + 1)[..., 0] * (1 - share)
    return -(near + far).mean(dim=1)
