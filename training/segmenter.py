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
from torch import nn
from torch.utils.data import DataLoader

from mobilesamv2.evaluate.datasets import Annotated, read_coco
from mobilesamv2.evaluate.prompted import prompted_iou
from mobilesamv2.segmenter import Segmenter

from .checkpoints import averaged_weights, mean_of, save
from .coco_data import read_labels
from .crops import Batch, CropDataset
from .losses import guess_loss, loss_of, window_loss
from .trainee import DECODED_CELLS, Trainee

LEARNING_RATE = 1.5e-3
WARM_UP_STEPS = 100
GUESSES_ONLY = 0.8
"""Share of the time in which the decoder, which takes the most of it, rests: first guesses have most to learn."""


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
    learning_rate: float,
) -> None:
    """Train until `minutes` have been spent, counting those of earlier starts of the same run.

    A new run may `begin_with` earlier weights: the averaged ones of another run's checkpoint, or exported ones. What
    they lack begins at random.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model = Trainee()
    if begin_with is not None:
        model.load_state_dict(model.state_dict() | averaged_weights(begin_with, name="averaged"))
    model.to(device)
    model.prompt_encoder.windows.to(memory_format=torch.channels_last)  # a fifth faster
    averaged = copy.deepcopy(model).eval()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    # Without the decoder's turn its weights have no gradient, and stay as they are.
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=learning_rate
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
        rate = learning_rate * min(1, (step + 1) / WARM_UP_STEPS) * schedule(progress)
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
            save(checkpoint, model=model, averaged=averaged, optimizer=optimizer, step=step, spent=spent)
    save(checkpoint, model=model, averaged=averaged, optimizer=optimizer, step=step, spent=spent)


def export(*, run: Sequence[Path], into: Path) -> None:
    """Write the averaged weights of a run as float16 safetensors; of several runs, the mean of theirs.

    Runs that began with the same weights lie so close together that their mean is better than each of them ("model
    soups", arXiv 2203.05482). Of runs that began apart it is of no use.
    """
    states = [torch.load(one / "checkpoint.pt", weights_only=True, map_location="cpu") for one in run]
    tensors = {
        name: value.half() if value.is_floating_point() and "gaussian" not in name else value
        for name, value in mean_of([state["averaged"] for state in states]).items()
    }
    metadata = {
        "format": "pt",
        "model": "nano",
        "licence": "AGPL-3.0-or-later",
        "steps": str(sum(state["step"] for state in states)),
        "minutes": f"{sum(state['spent'] for state in states) / 60:.1f}",
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
    training.add_argument(
        "--begin-with",
        type=Path,
        help="checkpoint of another run, or exported weights, to begin a new one with",
    )
    training.add_argument("--learning-rate", type=float, default=LEARNING_RATE, help="the highest one")
    exporting = commands.add_parser("export", help="write a run's weights as safetensors")
    exporting.add_argument(
        "--run",
        type=Path,
        nargs="+",
        default=[Path("runs/nano")],
        help="of several that began with the same weights, the mean is exported",
    )
    exporting.add_argument("--into", type=Path, default=Path("weights/nano.safetensors"))
    options = vars(parser.parse_args())
    {"train": train, "export": export}[options.pop("command")](**options)


if __name__ == "__main__":
    main()
