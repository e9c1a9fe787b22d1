"""What `nano` is to make small: the losses of its guesses, of its masks, and of boxes without masks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mobilesamv2.models.nano.drawn_prompts import grown

from .crops import MASK_STRIDE, Batch
from .trainee import Answers, Decoded

SAME_COLOUR = 10.0
"""Distance in RGB, of 255, below which neighbours count as of one colour."""


def loss_of(decoded: Decoded, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """What to make small: cross-entropy near the object, dice, and the error of the predicted IoU.

    Averaged over the whole crop, cross-entropy drowns small objects and the network first learns to answer nothing;
    so it is averaged over the object's box grown by 40 % on each side, and lightly over the rest. A box is answered
    by mask token 0; a point by the best of tokens 1 to 3, which alone learns from it.
    """
    logits = decoded.logits
    target = batch.targets[:, None].to(logits.dtype)  # (N, 1, h, w)
    near = _near(batch.targets)[:, None].to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    near_entropy = (entropy * near).sum((2, 3)) / near.sum((2, 3))
    far_entropy = (entropy * (1 - near)).mean((2, 3))
    probability = logits.sigmoid()
    dice = 1 - (2 * (probability * target).sum((2, 3)) + 1) / (
        probability.sum((2, 3)) + target.sum((2, 3)) + 1
    )
    per_mask = near_entropy + 0.5 * far_entropy + dice  # (N, 4)
    with torch.no_grad():
        answer = logits > 0
        shared = (answer & (target > 0)).sum((2, 3))
        iou = shared / ((answer | (target > 0)).sum((2, 3)) + 1e-6)
        best_of_three = 1 + per_mask[:, 1:].argmin(1)
        chosen = torch.where(batch.is_box, 0, best_of_three)
        answers = torch.tensor([[0, 1, 1, 1], [1, 0, 0, 0]], device=iou.device, dtype=iou.dtype)[
            batch.is_box.long()
        ]
    mask_loss = per_mask.gather(1, chosen[:, None]).mean()
    iou_loss = (((decoded.iou - iou) ** 2) * answers).sum() / answers.sum()
    chosen_iou = iou.gather(1, chosen[:, None])[:, 0]
    return mask_loss + iou_loss, {
        "loss": mask_loss.item(),
        "iou_loss": iou_loss.item(),
        "box_iou": chosen_iou[batch.is_box].mean().item(),
        "point_iou": chosen_iou[~batch.is_box].mean().item(),
    }


def guess_loss(guess: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy near the object of the first guess (N, h, w): it teaches the encoder what belongs together."""
    target = F.adaptive_avg_pool2d(batch.targets[:, None].float(), guess.shape[-2:])[:, 0]
    near = F.adaptive_max_pool2d(_near(batch.targets)[:, None].float(), guess.shape[-2:])[:, 0]
    entropy = F.binary_cross_entropy_with_logits(guess, target, reduction="none")
    per_prompt = (entropy * near).sum((1, 2)) / near.sum((1, 2))
    return per_prompt[batch.has_mask].mean()


def window_loss(answers: Answers, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The loss of the guesses in windows, and their mean IoU there for boxes and for points.

    Where the mask is known: cross-entropy and dice. Where only the box is: `box_only_loss`.
    """
    owner = answers.window_owner
    side = answers.window_logits.shape[-1]
    wanted = _seen_in(answers.windows, batch.targets[owner].float()[:, None], side=side, stride=MASK_STRIDE)[
        :, 0
    ]
    known, boxed = batch.has_mask[owner], ~batch.has_mask[owner] & batch.is_box[owner]
    entropy = F.binary_cross_entropy_with_logits(answers.window_logits, wanted, reduction="none")
    dice = _dice_loss(answers.window_logits.sigmoid().flatten(1), wanted.flatten(1))
    loss = (entropy.mean((1, 2)) + dice)[known].mean()
    numbers = {"window_loss": loss.item()}
    if boxed.any():
        of_picture = owner[boxed] // (len(batch.is_box) // len(batch.pixels))
        colours = _seen_in(answers.windows[boxed], batch.pixels[of_picture].float(), side=side // 2, stride=1)
        weak = box_only_loss(answers.window_logits[boxed], wanted[boxed], colours)
        loss, numbers["box_only_loss"] = loss + 0.5 * boxed.float().mean() * weak, weak.item()
    answer, truth = answers.window_logits.detach() > 0, wanted > 0.5
    iou = (answer & truth).sum((1, 2)) / ((answer | truth).sum((1, 2)) + 1e-6)
    is_box = batch.is_box[owner]
    numbers["window_box_iou"] = iou[is_box & known].mean().item()
    numbers["window_point_iou"] = iou[~is_box & known].mean().item()
    return loss, numbers


def box_only_loss(logits: Tensor, box: Tensor, colours: Tensor) -> Tensor:
    """What a box alone says of the mask in it, as in BoxInst (arXiv 2012.02310).

    The mask reaches the four sides of its box and not beyond, and neighbours of the same colour belong together.

    Args:
        logits: (N, K, K), guesses in windows.
        box: (N, K, K), the true boxes there, filled.
        colours: (N, 3, K / 2, K / 2), the picture there, 0 to 255.
    """
    probability = logits.sigmoid()
    touches = sum(_dice_loss(probability.amax(axis), box.amax(axis)) for axis in (1, 2))
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
    return torch.as_tensor(touches.mean() + apart / alike.clamp(min=1))


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


def _seen_in(windows: Tensor, pictures: Tensor, *, side: int, stride: int) -> Tensor:
    """What windows (N, 4) show of pictures (N, C, h, w) with pixels of `stride`: (N, C, side, side)."""
    steps = (torch.arange(side, device=windows.device) + 0.5) / side
    share = torch.stack([steps.expand(side, side), steps[:, None].expand(side, side)], dim=-1)
    low, high = windows[:, None, None, :2], windows[:, None, None, 2:]
    size = stride * torch.tensor([pictures.shape[3], pictures.shape[2]], device=windows.device)
    place = 2 * (low + share * (high - low)) / size - 1
    return F.grid_sample(pictures, place, align_corners=False)


def _near(targets: Tensor) -> Tensor:
    """float (N, h, w): the box of each target, grown by 40 % of its sides and at least 3 pixels."""
    return grown(targets, more=0, least=3)
