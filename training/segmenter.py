"""Trains and exports `nano`, the embedded segmentation model.

    python -m training.segmenter train --data FOLDER --minutes 110
    python -m training.segmenter export --run runs/nano

FOLDER holds `annotations.json` and `images/` (see `training/README.md`). A run keeps its last checkpoint and a log in
`runs/nano` and goes on from there when started again.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mobilesamv2.evaluate.datasets import Annotated, read_coco
from mobilesamv2.evaluate.prompted import prompted_iou
from mobilesamv2.models.drawn_prompts import grown
from mobilesamv2.models.mask_decoder import MaskDecoder
from mobilesamv2.models.nano_encoder import NanoEncoder
from mobilesamv2.models.preprocess import PIXEL_MEAN, PIXEL_STD
from mobilesamv2.models.prompt_encoder import PromptEncoder
from mobilesamv2.models.sam import Sam, nano_config
from mobilesamv2.segmenter import Segmenter

from .coco_data import read_labels
from .crops import Batch, CropDataset

MEAN = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1)
DEVIATION = torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
LEARNING_RATE = 3e-3
WARM_UP_STEPS = 100
DECODED_CELLS = 18 * 32 * 32
"""Prompts decoded in a step, times the cells of the embedding."""


class Trainee(nn.Module):
    """The parts of a model, called for prompts that each have a picture of their own."""

    def __init__(self) -> None:
        super().__init__()
        config = nano_config()
        self.image_encoder = NanoEncoder(config.encoder)
        self.prompt_encoder = PromptEncoder(config.prompt_encoder)
        self.mask_decoder = MaskDecoder(config.mask_decoder)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Guess all masks of a batch, and decode some of its prompts.

        The decoder takes most of the time, the encoder has most to learn: so all crops are encoded, every prompt
        gets a first guess, and only `DECODED_CELLS` worth of prompts, drawn at random, are decoded.

        Returns:
            First guesses (N, h, w) at all prompts; indices (K,) of the decoded ones, boxes before points; their
            logits (K, 4, S / 2, S / 2) and predicted IoUs (K, 4), of every mask token.
        """
        pixels = (batch.pixels.float() - MEAN.to(batch.pixels.device)) / DEVIATION.to(batch.pixels.device)
        embedding = self.image_encoder(pixels * batch.inside)
        height, width = embedding.shape[-2:]
        encoder = self.prompt_encoder
        kernel = encoder.compare(embedding)
        guesses = embedding.new_zeros(len(batch.is_box), height, width, dtype=torch.float32)
        chosen, sparse, dense = [], [], []
        for is_box, share in ((True, 0.6), (False, 0.4)):
            kind = torch.nonzero(batch.is_box == is_box)[:, 0]
            prompts = _prompts(batch.prompts(kind), is_box=is_box)
            drawn = encoder.draw((height, width), **prompts)
            guess = encoder.guess(kernel, **drawn)
            guesses[kind] = guess.float()
            pick = torch.randperm(len(kind))[: max(1, round(share * DECODED_CELLS / (height * width)))]
            tokens, prompted = encoder(
                embedding_hw=(height, width), **_prompts(batch.prompts(kind[pick]), is_box=is_box)
            )
            chosen.append(kind[pick])
            sparse.append(tokens)
            dense.append(prompted + encoder.likeness.dense(guess[pick]))
        index = torch.cat(chosen)
        logits, iou = self.mask_decoder.decode(
            image=embedding[index // (len(batch.is_box) // len(embedding))],
            image_code=encoder.position_grid(height, width),
            sparse=torch.cat(sparse),  # a box and a point with its padding are two tokens each
            dense=torch.cat(dense),
            asked=slice(None),
        )
        return guesses, index, logits, iou


def _prompts(batch: Batch, *, is_box: bool) -> dict[str, Tensor]:
    if is_box:
        return {"boxes_xyxy": batch.boxes_xyxy}
    return {"points": batch.points, "labels": torch.ones_like(batch.points[..., 0]).long()}


def loss_of(logits: Tensor, predicted_iou: Tensor, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """What to make small: cross-entropy near the object, dice, and the error of the predicted IoU.

    Averaged over the whole crop, cross-entropy drowns small objects and the network first learns to answer nothing;
    so it is averaged over the object's box grown by 40 % on each side, and lightly over the rest. A box is answered
    by mask token 0; a point by the best of tokens 1 to 3, which alone learns from it.
    """
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
    iou_loss = (((predicted_iou - iou) ** 2) * answers).sum() / answers.sum()
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
    return ((entropy * near).sum((1, 2)) / near.sum((1, 2))).mean()


def _near(targets: Tensor) -> Tensor:
    """float (N, h, w): the box of each target, grown by 40 % of its sides and at least 3 pixels."""
    return grown(targets, more=0, least=3)


def held_out_iou(model: Trainee, photographs: Sequence[Annotated]) -> dict[str, float]:
    """Mean IoU on held-out photographs, as `mobilesamv2 evaluate` measures it, of a model in evaluation mode."""
    sam = Sam(
        image_encoder=model.image_encoder,
        prompt_encoder=model.prompt_encoder,
        mask_decoder=model.mask_decoder,
    )
    found = prompted_iou(Segmenter(sam, name="nano"), photographs)
    return {
        "val_box_iou": round(float(found.box.mean()), 4),
        "val_point_iou": round(float(found.point.mean()), 4),
        "val_ellipse_iou": round(float(found.filled_ellipse.mean()), 4),
    }


def train(
    *,
    data: Path,
    run: Path,
    minutes: float,
    seed: int,
    threads: int,
    workers: int,
    device: str,
    evaluate_every: float,
) -> None:
    """Train until `minutes` have been spent, counting those of earlier starts of the same run."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model = Trainee().to(device)
    averaged = copy.deepcopy(model).eval()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=LEARNING_RATE
    )
    step, spent = 0, 0.0
    checkpoint = run / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step} after {spent / 60:.1f} minutes", flush=True)
    held_out = read_coco(data / "annotations.json", split="val")[:24]
    dataset = CropDataset(read_labels(data, split="train"), seed=seed, steps=10**9)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, sampler=range(step, len(dataset)))
    log = (run / "log.jsonl").open("a", encoding="utf-8")
    started, evaluated, sums, crops = time.monotonic() - spent, spent, {}, 0
    for batch in loader:
        progress = (time.monotonic() - started) / (60 * minutes)
        if progress >= 1:
            break
        rate = LEARNING_RATE * min(1, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-5)
        batch = Batch(**{name: value.to(device) for name, value in vars(batch).items()})
        # Processors and GPUs that know bfloat16 are up to twice as fast in it; the loss stays in float32.
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            guess, decoded, logits, iou = model(batch)
        loss, numbers = loss_of(logits.float(), iou.float(), batch.prompts(decoded))
        guessing = guess_loss(guess.float(), batch)
        loss, numbers["guess_loss"] = loss + guessing, guessing.item()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(0.999, (step + 1) / (step + 10))
        with torch.no_grad():
            for slow, fast in zip(averaged.state_dict().values(), model.state_dict().values(), strict=True):
                if slow.is_floating_point():
                    slow.lerp_(fast, 1 - decay)
                else:
                    slow.copy_(fast)
        step, crops = step + 1, crops + len(batch.pixels)
        for name, value in numbers.items():
            if not math.isnan(value):
                total, count = sums.get(name, (0.0, 0))
                sums[name] = (total + value, count + 1)
        spent = time.monotonic() - started
        if step % 50 == 0:
            record = {"step": step, "minutes": round(spent / 60, 2), "crops": crops, "rate": round(rate, 6)}
            record |= {name: round(total / count, 4) for name, (total, count) in sums.items()}
            if spent - evaluated > 60 * evaluate_every:
                evaluated = spent
                record |= held_out_iou(averaged, held_out)
            print(json.dumps(record), flush=True)
            log.write(json.dumps(record) + "\n")
            log.flush()
            sums = {}
            _save(checkpoint, model=model, averaged=averaged, optimizer=optimizer, step=step, spent=spent)
    _save(checkpoint, model=model, averaged=averaged, optimizer=optimizer, step=step, spent=spent)


def _save(
    path: Path,
    *,
    model: nn.Module,
    averaged: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    spent: float,
) -> None:
    state = {
        "model": model.state_dict(),
        "averaged": averaged.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "spent": spent,
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)  # whole or not at all


def export(*, run: Path, into: Path) -> None:
    """Write the averaged weights of a run as float16 safetensors."""
    state = torch.load(run / "checkpoint.pt", weights_only=True, map_location="cpu")
    tensors = {
        name: value.half() if value.is_floating_point() and "gaussian" not in name else value
        for name, value in state["averaged"].items()
    }
    metadata = {
        "format": "pt",
        "model": "nano",
        "licence": "AGPL-3.0-or-later",
        "steps": str(state["step"]),
        "minutes": f"{state['spent'] / 60:.1f}",
    }
    save_file({name: value.contiguous() for name, value in tensors.items()}, into, metadata=metadata)
    print(f"{into}: {into.stat().st_size / 1e6:.1f} MB after {metadata['steps']} steps")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the embedded segmentation model.")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train, or go on with a run")
    training.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    training.add_argument("--run", type=Path, default=Path("runs/nano"))
    training.add_argument("--minutes", type=float, default=110, help="time to train, in all")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--threads", type=int, default=2, help="CPU threads of the network")
    training.add_argument("--workers", type=int, default=0, help="processes that read pictures")
    training.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    training.add_argument(
        "--evaluate-every", type=float, default=10, help="minutes between looks at val pictures"
    )
    exporting = commands.add_parser("export", help="write a run's weights as safetensors")
    exporting.add_argument("--run", type=Path, default=Path("runs/nano"))
    exporting.add_argument("--into", type=Path, default=Path("weights/nano.safetensors"))
    options = vars(parser.parse_args())
    {"train": train, "export": export}[options.pop("command")](**options)


if __name__ == "__main__":
    main()
