"""What `nano` is to make small: the losses of its masks, of its predicted IoUs, and of boxes without masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .crops import MASK_STRIDE, Batch
from .trainee import Answers, seen_in

SAME_COLOUR = 10.0
"""Distance in RGB, of 255, below which neighbours count as of one colour."""


def window_loss(answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """What to make small, and how good masks in windows are for boxes and for points.

    Where the mask is known: cross-entropy and dice, in windows that suit the object, and the error of the predicted
    IoU in all of them. Where only the box is: `box_only_loss`.
    """
    owner, logits, wanted = answers.owner, answers.logits, answers.wanted
    known = batch.has_mask[owner]
    learnt = known & answers.suits
    boxed = ~known & batch.is_box[owner]
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    dice = _dice_loss(logits.sigmoid().flatten(1), wanted.flatten(1))
    loss = (entropy.mean((1, 2)) + dice)[learnt].mean()
    numbers = {"window_loss": loss.item()}
    if boxed.any():
        of_picture = owner[boxed] // (len(batch.is_box) // len(batch.pixels))
        side = logits.shape[-1]
        colours = seen_in(answers.windows[boxed], batch.pixels[of_picture].float(), side=side // 2, stride=1)
        weak = box_only_loss(logits[boxed], wanted[boxed], colours)
        loss, numbers["box_only_loss"] = loss + 0.5 * boxed.float().mean() * weak, weak.item()
    iou = _iou(answers, batch)
    error = (answers.iou - iou)[known]
    loss = loss + 2 * error.square().mean()
    is_box = batch.is_box[owner]
    return loss, numbers | {
        "iou_error": error.abs().mean().item(),
        "box_iou": iou[is_box & learnt].mean().item(),
        "point_iou": iou[~is_box & learnt].mean().item(),
    }


@torch.no_grad()
def _iou(answers: Answers, batch: Batch) -> Tensor:
    """IoU (N,) of answers with what is wanted, of which a part may lie outside of the window."""
    answer, truth = answers.logits > 0, answers.wanted > 0.5
    shared = (answer & truth).sum((1, 2))
    sides = (answers.windows[:, 2:] - answers.windows[:, :2]) / answers.logits.shape[-1]
    whole = batch.targets.sum((1, 2))[answers.owner] * MASK_STRIDE**2 / sides.prod(1)  # in cells
    return shared / (answer.sum((1, 2)) + torch.maximum(whole, truth.sum((1, 2))) - shared + 1e-6)


def box_only_loss(logits: Tensor, box: Tensor, colours: Tensor) -> Tensor:
    """What a box alone says of the mask in it, as in BoxInst (arXiv 2012.02310).

    The mask reaches the four sides of its box and not beyond, and neighbours of the same colour belong together.

    Args:
        logits: (N, K, K), guesses in windows.
        box: (N, K, K), the true boxes there, filled.
        colours: (N, 3, K / 2, K / 2), the picture there, 0 to 255.
    """
    probability = logits.sigmoid()
    touches = _dice_loss(probability.amax(1), box.amax(1)) + _dice_loss(probability.amax(2), box.amax(2))
    cells, inside = F.avg_pool2d(logits[:, None], 2)[:, 0], F.avg_pool2d(box[:, None], 2)[:, 0]
    yes, no = F.logsigmoid(cells), F.logsigmoid(-cells)
    apart, alike = logits.new_zeros(()), logits.new_zeros(())
    for down, across in ((0, 2), (2, 0), (2, 2), (2, -2)):
        first, second = _shifted(yes, down, across)
        not_first, not_second = _shifted(no, down, across)
        together = torch.logaddexp(first + second, not_first + not_second)
        one, other = _shifted(colours, down, across)
        near = torch.maximum(*_shifted(inside, down, across)) > 0.5
        same = ((one - other).norm(dim=1) < SAME_COLOUR) & near
        apart, alike = apart - together[same].sum(), alike + same.sum()
    return touches.mean() + apart / alike.clamp(min=1)


def _shifted(x: Tensor, down: int, across: int) -> tuple[Tensor, Tensor]:
    """The parts of (..., h, w) that lie `down` rows and `across` columns from each other."""
    height, width = x.shape[-2:]
    if across >= 0:
        return x[..., : height - down, : width - across], x[..., down:, across:]
    return x[..., : height - down, -across:], x[..., down:, : width + across]


def _dice_loss(probability: Tensor, wanted: Tensor) -> Tensor:
    """(N,) of (N, L)."""
    shared = (probability * wanted).sum(1)
    return 1 - (2 * shared + 1) / (probability.sum(1) + wanted.sum(1) + 1)
