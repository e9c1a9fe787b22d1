"""What a distilled encoder reaches beside its teacher, and the model card that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mobilesamv2.images import load_image
from mobilesamv2.inference import inference
from mobilesamv2.models.sam import Sam
from mobilesamv2.prompts import grid_prompts
from mobilesamv2.segmenter import Segmenter

POINTS_PER_SIDE = 8
"""Of the grid of prompts whose masks are compared."""


@dataclass(frozen=True)
class Measured:
    """A student beside its teacher on held-out photographs.

    Args:
        photographs: how many.
        explained: share of the variance of the teacher's embeddings that the student's explain: 1 is a copy, 0 is as
            good as their mean.
        mask_iou: mean IoU of the student's mask with the teacher's for the same point, of a grid of 8 x 8 points.
    """

    photographs: int
    explained: float
    mask_iou: float


def measure(teacher: Sam, student: Sam, photographs: Sequence[Path]) -> Measured:
    """Compare embeddings and masks on photographs; both networks must have the same decoder."""
    segmenters = [
        Segmenter(network.eval(), name=name) for network, name in ((teacher, "teacher"), (student, "student"))
    ]
    missed = spread = 0.0
    ious: list[float] = []
    for path in photographs:
        picture = load_image(path)
        prompts = grid_prompts((picture.shape[0], picture.shape[1]), points_per_side=POINTS_PER_SIDE, multimask=False)
        embeddings = [segmenter.encode(picture) for segmenter in segmenters]
        wanted, given = (embedding.features.double() for embedding in embeddings)
        missed += float((wanted - given).square().sum())
        spread += float((wanted - wanted.mean((0, 2, 3), keepdim=True)).square().sum())
        with inference(teacher.device):
            masks = [
                segmenter.decode_logits(embedding, points=prompts.points, labels=prompts.labels)[0] > 0
                for segmenter, embedding in zip(segmenters, embeddings, strict=True)
            ]
        ious += _iou(*masks).tolist()
    return Measured(
        photographs=len(photographs),
        explained=1 - missed / spread if spread else float("nan"),
        mask_iou=float(np.mean(ious)) if ious else float("nan"),
    )


def _iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU (N,) of bool masks (N, 1, h, w); two empty ones are equal."""
    shared, either = (first & second).sum((1, 2, 3)), (first | second).sum((1, 2, 3))
    return torch.where(either > 0, shared / either.clamp(min=1), torch.ones_like(shared, dtype=torch.float32))


def write_card(
    path: Path,
    *,
    settings: Mapping[str, Any],
    steps: int,
    minutes: float,
    photographs: int,
    measured: Measured,
) -> None:
    """Write a model card. Whose photographs these are, and under which licence, the person who trained must add."""
    student, teacher = settings["student"], settings["teacher"]
    begun = settings["student_weights"] or "random weights"
    lines = [
        f"# {student}, distilled from {teacher}",
        "",
        f"The image encoder of `{student}` that learnt to give the embeddings of `{teacher}`, with the prompt encoder "
        f'and mask decoder of `{teacher}` (decoupled distillation, arXiv 2306.14289). `mobilesamv2.load("{student}", '
        f'weights="{path.with_suffix(".safetensors").name}")` takes it.',
        "",
        f"- **Training**: mean squared error of embeddings, {steps} steps of {settings['batch']} photographs "
        f"({minutes:.0f} minutes), begun with {begun}, learning rate {settings['learning_rate']:g}, seed "
        f"{settings['seed']}.",
        f"- **Data**: {photographs} photographs of the folder `{Path(settings['photographs']).name}`; name their "
        "source and licence here before you pass the weights on.",
        "- **Licence**: the weights of the decoder are the teacher's; its licence holds for them.",
        f"- **Measured** on {measured.photographs} photographs that were held out: {measured.explained:.1%} of the "
        f"variance of the teacher's embeddings explained; mean IoU with the teacher's mask for the same point "
        f"{measured.mask_iou:.3f}.",
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
