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
from dataclasses import dataclass, replace
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
from mobilesamv2.models.prompt_encoder import FirstGuess, PromptEncoder
from mobilesamv2.models.sam import Sam, nano_config
from mobilesamv2.models.windows import POINT_WINDOWS, pasted
from mobilesamv2.segmenter import Segmenter

from .coco_data import read_labels
from .crops import MASK_STRIDE, Batch, CropDataset

MEAN = torch.tensor(PIXEL_MEAN).view(1, 3, 1, 1)
DEVIATION = torch.tensor(PIXEL_STD).view(1, 3, 1, 1)
LEARNING_RATE = 1.5e-3
WARM_UP_STEPS = 100
SAME_COLOUR = 10.0
"""Distance in RGB, of 255, below which neighbours count as of one colour."""
DECODED_CELLS = 24 * 32 * 32
"""Prompts decoded in a step, times the cells of the embedding."""
GUESSES_ONLY = 0.8
"""Share of the time in which the decoder, which takes the most of it, rests: first guesses have most to learn."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """What the decoder says to D prompts of a batch.

    Args:
        index: (D,), which prompts, boxes before points.
        logits: (D, 4, S / 2, S / 2), of every mask token.
        iou: (D, 4), predicted.
    """

    index: Tensor
    logits: Tensor
    iou: Tensor


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says to a batch of N prompts.

    Args:
        cells: (N, h, w), first guesses by likeness.
        windows: (N, 4), one window of each prompt; boxes before points.
        window_logits: (N, K, K), first guesses in them.
        window_owner: (N,), whose they are.
        decoded: what the decoder said to some of them, if it was asked.
    """

    cells: Tensor
    windows: Tensor
    window_logits: Tensor
    window_owner: Tensor
    decoded: Decoded | None = None


class Trainee(nn.Module):
    """The parts of a model, called for prompts that each have a picture of their own.

    Args:
        decoded_cells: prompts decoded in a step, times the cells of the embedding; 0: none.
    """

    def __init__(self, *, decoded_cells: int = DECODED_CELLS) -> None:
        super().__init__()
        self.decoded_cells = decoded_cells
        config = nano_config()
        self.image_encoder = NanoEncoder(config.encoder)
        self.prompt_encoder = PromptEncoder(config.prompt_encoder)
        self.mask_decoder = MaskDecoder(config.mask_decoder)

    @property
    def sam(self) -> Sam:
        """The same parts as a model to use."""
        return Sam(
            image_encoder=self.image_encoder,
            prompt_encoder=self.prompt_encoder,
            mask_decoder=self.mask_decoder,
        )

    def forward(self, batch: Batch) -> Answers:
        """Guess all masks of a batch, and decode some of its prompts.

        The decoder takes most of the time, the encoder has most to learn: so all crops are encoded, every prompt
        gets a first guess, and only some prompts, drawn at random, are decoded.
        """
        pixels = (batch.pixels.float() - MEAN.to(batch.pixels.device)) / DEVIATION.to(batch.pixels.device)
        image, detail = self.sam.split(self.image_encoder(pixels * batch.inside))
        assert detail is not None  # nano has it
        height, width = image.shape[-2:]
        encoder = self.prompt_encoder
        kernel = encoder.compare(image)
        assert kernel is not None
        guesses = image.new_zeros(len(batch.is_box), height, width, dtype=torch.float32)
        windows_seen, window_logits, window_owner = [], [], []
        chosen, sparse, dense, residuals = [], [], [], []
        for is_box, share in ((True, 0.6), (False, 0.4)):
            kind = torch.nonzero(batch.is_box == is_box)[:, 0]
            of_kind = batch.prompts(kind)
            prompts = _prompts(of_kind, is_box=is_box)
            drawn = encoder.draw((height, width), **prompts)
            cells = encoder.guess_cells(kernel, **drawn)
            guesses[kind] = cells.float()
            windows, kinds = encoder.place_windows((height, width), **prompts)
            if not is_box:  # learn from the window that suits the object's size
                column = _suiting_window(of_kind, side=8 * width)
                every = torch.arange(len(column))
                windows, kinds = windows[every, column][:, None], kinds[every, column][:, None]
            logits = encoder.guess_windows(
                detail,
                windows[:, 0],
                kinds[:, 0],
                cells=cells.detach(),
                points=prompts.get("points"),
                labels=prompts.get("labels"),
                boxes=is_box,
            )
            windows_seen.append(windows[:, 0])
            window_logits.append(logits.float())
            window_owner.append(kind)
            if not self.decoded_cells:
                continue
            known = torch.nonzero(of_kind.has_mask)[:, 0]
            pick = known[torch.randperm(len(known))][
                : max(1, round(share * self.decoded_cells / (height * width)))
            ]
            some = _prompts(batch.prompts(kind[pick]), is_box=is_box)
            size_hw, stride = (4 * height, 4 * width), encoder.config.stride / 4
            if is_box:
                masks = pasted(logits[pick], windows[pick, 0], size_hw=size_hw, stride=stride)[:, None]
            else:
                masks = self._point_guesses(detail, cells.detach(), pick, some, size_hw)
            tokens, prompted = encoder(
                embedding_hw=(height, width), guess=FirstGuess(cells=cells[pick], masks=masks), **some
            )
            chosen.append(kind[pick])
            sparse.append(tokens)
            dense.append(prompted)
            residuals.append(masks.expand(-1, 4, -1, -1) if is_box else F.pad(masks, (0, 0, 0, 0, 1, 0)))
        guessed = Answers(
            cells=guesses,
            windows=torch.cat(windows_seen),
            window_logits=torch.cat(window_logits),
            window_owner=torch.cat(window_owner),
        )
        if not chosen:
            return guessed
        index = torch.cat(chosen)
        logits, iou = self.mask_decoder.decode(
            image=image[index // (len(batch.is_box) // len(image))],
            image_code=encoder.position_grid(height, width),
            sparse=torch.cat(sparse),  # a box and a point with its padding are two tokens each
            dense=torch.cat(dense),
            asked=slice(None),
        )
        decoded = Decoded(index=index, logits=logits.float() + torch.cat(residuals), iou=iou.float())
        return replace(guessed, decoded=decoded)

    def _point_guesses(
        self,
        detail: Tensor,
        cells: Tensor,
        pick: Tensor,
        some: dict[str, Tensor],
        size_hw: tuple[int, int],
    ) -> Tensor:
        """Guesses (K, 3, h, w) in all windows of the point prompts `pick`, which lie on any of the pictures."""
        encoder = self.prompt_encoder
        height, width = size_hw[0] // 4, size_hw[1] // 4
        windows, kinds = encoder.place_windows((height, width), **some)
        each = len(cells) // len(detail)
        guess = encoder.guess_windows(
            detail[pick // each].repeat_interleave(3, 0),
            windows.flatten(0, 1),
            kinds.flatten(),
            cells=cells[pick].repeat_interleave(3, 0),
            points=some["points"].repeat_interleave(3, 0),
            labels=some["labels"].repeat_interleave(3, 0),
            boxes=False,
        )
        masks = pasted(guess, windows.flatten(0, 1), size_hw=size_hw, stride=encoder.config.stride / 4)
        return masks.view(len(pick), 3, *size_hw)


def _suiting_window(batch: Batch, *, side: int) -> Tensor:
    """Which window of a point (N,) shows its object best: the smallest that is a little larger than it."""
    sides = (batch.boxes_xyxy[:, 2:] - batch.boxes_xyxy[:, :2]).amax(1) / side
    return sum((sides > share * 0.85).long() for share in POINT_WINDOWS[:2])


def _prompts(batch: Batch, *, is_box: bool) -> dict[str, Tensor]:
    if is_box:
        return {"boxes_xyxy": batch.boxes_xyxy}
    return {"points": batch.points, "labels": torch.ones_like(batch.points[..., 0]).long()}


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


def held_out_iou(model: Trainee, photographs: Sequence[Annotated]) -> dict[str, float]:
    """Mean IoU on held-out photographs, as `mobilesamv2 evaluate` measures it, of a model in evaluation mode."""
    found = prompted_iou(Segmenter(model.sam, name="nano"), photographs)
    return {
        "val_box_iou": round(float(found.box.mean()), 4),
        "val_point_iou": round(float(found.point.mean()), 4),
        "val_ellipse_iou": round(float(found.filled_ellipse.mean()), 4),
    }


def schedule(progress: float) -> float:
    """Share of the learning rate after a share of the time: half a cosine, and a lower one for the decoder's turn."""
    if progress < GUESSES_ONLY:
        return 0.5 + 0.5 * math.cos(math.pi * progress / GUESSES_ONLY)
    return 0.25 * (0.5 + 0.5 * math.cos(math.pi * (progress - GUESSES_ONLY) / (1 - GUESSES_ONLY)))


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
    begin_with: Path | None,
) -> None:
    """Train until `minutes` have been spent, counting those of earlier starts of the same run.

    A new run may `begin_with` the averaged weights of another one's checkpoint; what that lacks begins at random.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model = Trainee()
    if begin_with is not None:
        earlier = torch.load(begin_with, weights_only=True, map_location="cpu")["averaged"]
        model.load_state_dict(model.state_dict() | earlier)
    model.to(device)
    model.prompt_encoder.windows.to(memory_format=torch.channels_last)  # a fifth faster
    averaged = copy.deepcopy(model).eval()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    # Without the decoder's turn its weights have no gradient, and stay as they are.
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
    dataset = CropDataset(read_labels(data, split="train"), seed=seed, steps=10**9, prompts_per_crop=12)
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, sampler=range(step, len(dataset)))
    log = (run / "log.jsonl").open("a", encoding="utf-8")
    started, evaluated, sums, crops = time.monotonic() - spent, spent, {}, 0
    for batch in loader:
        progress = (time.monotonic() - started) / (60 * minutes)
        if progress >= 1:
            break
        rate = LEARNING_RATE * min(1, (step + 1) / WARM_UP_STEPS) * schedule(progress)
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-5)
        batch = Batch(**{name: value.to(device) for name, value in vars(batch).items()})
        # Processors and GPUs that know bfloat16 are up to twice as fast in it; the loss stays in float32.
        model.decoded_cells = 0 if progress < GUESSES_ONLY else DECODED_CELLS
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16):
            answers = model(batch)
        guessing = guess_loss(answers.cells, batch)
        in_windows, numbers = window_loss(answers, batch)
        loss, numbers["guess_loss"] = guessing + in_windows, guessing.item()
        if answers.decoded is not None:
            of_decoder, found = loss_of(answers.decoded, batch.prompts(answers.decoded.index))
            loss, numbers = loss + of_decoder, numbers | found
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        decay = min(0.998, (step + 1) / (step + 10))
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
    training.add_argument("--begin-with", type=Path, help="checkpoint of another run to begin a new one with")
    exporting = commands.add_parser("export", help="write a run's weights as safetensors")
    exporting.add_argument("--run", type=Path, default=Path("runs/nano"))
    exporting.add_argument("--into", type=Path, default=Path("weights/nano.safetensors"))
    options = vars(parser.parse_args())
    {"train": train, "export": export}[options.pop("command")](**options)


if __name__ == "__main__":
    main()
