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
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mobilesamv2.models.nano.model import NanoConfig, NanoModel

from .checkpoints import averaged_weights, mean_of, save
from .crops import BOX_SHARE, Batch, CropDataset, CropSize
from .detector_data import training_pictures
from .earlier_nano import widened
from .imagenet import read_package, translate
from .losses import window_loss
from .trainee import answer

LEARNING_RATE = 1.2e-3
WARM_UP_STEPS = 100


def schedule(progress: float) -> float:
    """Share of the learning rate after a share of the time: half a cosine."""
    return 0.5 + 0.5 * math.cos(math.pi * progress)


def train(
    *,
    data: Path,
    run: Path,
    minutes: float,
    seed: int,
    threads: int,
    workers: int,
    device: str,
    begin_with: Path | None,
    learning_rate: float,
    steps: int | None = None,
    box_share: float = BOX_SHARE,
    sizes: Sequence[CropSize] | None = None,
    head_only: bool = False,
) -> None:
    """Train until `minutes` have been spent, counting those of earlier starts of the same run, or for `steps`.

    `box_share` and `sizes` are those of `CropDataset`.

    A new run may `begin_with` earlier weights: the averaged ones of another run's checkpoint, or exported ones. What
    they lack begins at random. With `head_only`, the encoder keeps these weights and the mask head begins at random.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    run.mkdir(parents=True, exist_ok=True)
    model = NanoModel(NanoConfig())
    checkpoint = run / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True, map_location=device) if checkpoint.exists() else None
    if state is None:
        pretrained = model.image_encoder.pretrained.network
        imagenet = translate(read_package())
        pretrained.load_state_dict({name: imagenet[name] for name in pretrained.state_dict()})
        if begin_with is not None:
            earlier = widened(averaged_weights(begin_with, name="averaged"), model.state_dict())
            model.load_state_dict({
                name: random if head_only and name.startswith("mask_head.") else earlier[name]
                for name, random in model.state_dict().items()
            })  # fmt: skip
    model.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    if head_only:
        model.image_encoder.requires_grad_(False).eval()
    averaged = copy.deepcopy(model).eval()
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate)
    step, spent = 0, 0.0
    if state is not None:
        model.load_state_dict(state["model"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step} after {spent / 60:.1f} minutes", flush=True)
    dataset = CropDataset(
        training_pictures(data), seed=seed, steps=10**9, prompts_per_crop=12, box_share=box_share, sizes=sizes
    )
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, sampler=range(step, len(dataset)))
    dtype = fastest_dtype(model, _on(dataset[step], device))
    print(f"training in {dtype}", flush=True)
    sums: dict[str, tuple[float, int]] = {}
    started = time.monotonic() - spent
    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        for batch in loader:
            progress = step / steps if steps else (time.monotonic() - started) / (60 * minutes)
            if progress >= 1:
                break
            rate = learning_rate * min(1, (step + 1) / WARM_UP_STEPS) * schedule(progress)
            for group in optimizer.param_groups:
                group["lr"] = max(rate, 1e-5)
            torch.manual_seed(1_000_003 * seed + step)  # what a step draws does not depend on when the run was stopped
            loss, numbers = loss_of(model, _on(batch, device), dtype)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            _average(averaged, model, share=1 - min(0.998, (step + 1) / (step + 10)))
            step, spent = step + 1, time.monotonic() - started
            for name, value in numbers.items():
                if not math.isnan(value):
                    total, count = sums.get(name, (0.0, 0))
                    sums[name] = (total + value, count + 1)
            if step % 50 == 0:
                record = {"step": step, "minutes": round(spent / 60, 2), "rate": round(rate, 6)}
                record |= {name: round(total / count, 4) for name, (total, count) in sums.items()}
                print(json.dumps(record), flush=True)
                log.write(json.dumps(record) + "\n")
                log.flush()
                sums = {}
                _save(checkpoint, model, averaged, optimizer, step=step, spent=spent)
    _save(checkpoint, model, averaged, optimizer, step=step, spent=spent)


def loss_of(model: NanoModel, batch: Batch, dtype: torch.dtype) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch, whose arithmetic is in float32 while the network's is in `dtype`."""
    with torch.autocast(batch.pixels.device.type, dtype=dtype, enabled=dtype != torch.float32):
        answers = answer(model, batch)
    return window_loss(answers, batch)


def fastest_dtype(model: NanoModel, batch: Batch) -> torch.dtype:
    """The number format in which a step takes least time here. The model stays as it was.

    bfloat16 is twice as fast as float32 on processors with units for it, and ten times slower on others. On the CPU it
    is the processor's time that counts, whatever else the machine does.
    """
    clock = time.process_time if batch.pixels.device.type == "cpu" else time.monotonic
    seconds: dict[torch.dtype, float] = {}
    trial = copy.deepcopy(model)
    for dtype in (torch.float32, torch.bfloat16):
        for _ in range(2):  # the first is slower than all others
            started = clock()
            loss_of(trial, batch, dtype)[0].backward()
            seconds[dtype] = clock() - started
    print("seconds for a step:", {str(dtype): round(value, 2) for dtype, value in seconds.items()}, flush=True)
    return min(seconds, key=lambda dtype: seconds[dtype])


def _on(batch: Batch, device: str) -> Batch:
    return Batch(**{name: value.to(device) for name, value in vars(batch).items()})


@torch.no_grad()
def _average(slow: nn.Module, fast: nn.Module, *, share: float) -> None:
    for old, new in zip(slow.state_dict().values(), fast.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, share)
        else:
            old.copy_(new)


def _save(
    path: Path,
    model: nn.Module,
    averaged: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    step: int,
    spent: float,
) -> None:
    save(
        path,
        model=model.state_dict(),
        averaged=averaged.state_dict(),
        optimizer=optimizer.state_dict(),
        step=step,
        spent=spent,
    )


def export(*, run: Sequence[Path], into: Path) -> None:
    """Write the averaged weights of a run as float16 safetensors; of several runs, the mean of theirs.

    Runs that began with the same weights lie so close together that their mean is better than each of them ("model
    soups", arXiv 2203.05482). Of runs that began apart it is of no use.
    """
    states = [torch.load(one / "checkpoint.pt", weights_only=True, map_location="cpu") for one in run]
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in mean_of([state["averaged"] for state in states]).items()
    }
    metadata = {
        "format": "pt",
        "model": "nano",
        "licence": "AGPL-3.0-or-later",
        "steps": str(sum(state["step"] for state in states)),
        "minutes": f"{sum(state['spent'] for state in states) / 60:.1f}",
    }
    save_file(tensors, into, metadata=metadata)
    print(f"{into}: {into.stat().st_size / 1e6:.1f} MB after {metadata['steps']} steps")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train and export the embedded segmentation model.")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train, or go on with a run")
    training.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    training.add_argument("--run", type=Path, default=Path("runs/nano"))
    training.add_argument("--minutes", type=float, default=110, help="time to train, in all")
    training.add_argument("--steps", type=int, help="steps to train, in all, instead of a time")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--threads", type=int, default=2, help="CPU threads of the network")
    training.add_argument("--workers", type=int, default=0, help="processes that read pictures")
    training.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
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
    commands_by_name: dict[str, Callable[..., None]] = {"train": train, "export": export}
    commands_by_name[options.pop("command")](**options)


if __name__ == "__main__":
    main()
