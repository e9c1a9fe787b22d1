"""Trains `nano-objects`, the embedded object detector: an anchor-free head on EfficientNet-Lite0, with one class.

    python -m training.detector train --data DATA --run runs/nano-objects --minutes 95
    python -m training.detector export --data DATA --run runs/nano-objects
    python -m training.detector evaluate --data DATA

A run can be stopped at any time and started again by the same command; it goes on where its last checkpoint was
written. A new run can begin with the weights of another one, or with exported ones, instead of ImageNet's.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor, nn

from mobilesamv2.models.detector.lite import LiteDetector
from mobilesamv2.models.efficientnet_lite import LEVEL_STRIDES, EfficientNetLite

from .checkpoints import averaged_weights, save
from .detector_batches import Batch, BatchMaker, Mix, stream
from .detector_data import training_pictures
from .detector_export import evaluate, export, recall_table
from .detector_loss import LossConfig, detector_loss
from .imagenet import load_imagenet

BOXES = 250
"""Boxes above confidence .4 that a typical picture is to have."""
ENDLESS = 10**9
"""Number of a batch that no run reaches."""


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a run is trained.

    It takes `minutes`, however many steps that gives; or `steps`, if there are any, however long they take.

    Args:
        frozen_stages: so many of the backbone's first stages, and its stem, keep ImageNet's weights.
        backbone_rate: learning rate of the other stages, as a share of `learning_rate`.
        loaders: processes that make batches ahead; 0 makes them in this one.
    """

    minutes: float = 98.0
    steps: int | None = None
    seed: int = 1
    sides: tuple[int, ...] = (320, 384, 448, 512)
    mix: Mix = dataclasses.field(default_factory=Mix)
    loss: LossConfig = dataclasses.field(default_factory=LossConfig)
    frozen_stages: int = 3
    learning_rate: float = 1.5e-3
    backbone_rate: float = 0.2
    weight_decay: float = 0.02
    warmup_steps: int = 200
    average_decay: float = 0.999
    checkpoint_every_minutes: float = 3.0
    loaders: int = 1


def train(
    *,
    batches: BatchMaker,
    run: Path,
    config: TrainingConfig,
    begin_with: Path | None = None,
    prepare: Callable[[EfficientNetLite], None] = load_imagenet,
) -> None:
    """Train until the minutes or steps are used up; writes `last.pt` and `log.jsonl` in the folder `run`.

    Args:
        begin_with: what a new run begins with instead of ImageNet's features, see `weights_in`.
        prepare: puts weights into the backbone of a new run.
    """
    torch.manual_seed(config.seed)
    run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = LiteDetector()
    last = run / "last.pt"
    if not last.exists():
        if begin_with is None:
            prepare(network.backbone)
        else:
            network.load_state_dict(weights_in(begin_with))
    network.to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    freeze(network.backbone, stages=config.frozen_stages)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(_parameter_groups(network, config), lr=config.learning_rate)
    step, seconds = 0, 0.0
    begun_with = "" if begin_with is None else str(begin_with)
    if last.exists():
        state = torch.load(last, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds, begun_with = state["step"], state["seconds"], state["begun_with"]
    train_mode(network)
    dtype = faster_dtype(network, device)
    _log(run, dtype=str(dtype), step=step)
    started = time.monotonic() - seconds
    saved = seconds
    losses: list[Tensor] = []
    ahead = stream(batches, first=step, last=ENDLESS, workers=config.loaders)
    while (progress := _progress(config, step=step, seconds=seconds)) < 1:
        rate = config.learning_rate * _schedule(progress, step, config)
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        parts = batch_loss(network, next(ahead), device=device, dtype=dtype, config=config.loss)
        optimiser.zero_grad(set_to_none=True)
        parts.sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        step += 1
        _follow(average, network, decay=config.average_decay * (1 - math.exp(-step / 300)))
        losses.append(parts.detach().cpu())
        seconds = time.monotonic() - started
        if step % 50 == 0:
            mean = torch.stack(losses[-50:]).mean(dim=0).tolist()
            named = dict(zip(("box", "score", "distance"), mean, strict=True))
            _log(run, step=step, minutes=seconds / 60, rate=rate, loss=named)
        finished = _progress(config, step=step, seconds=seconds) >= 1
        if finished or seconds - saved > config.checkpoint_every_minutes * 60:
            save(
                last,
                network=network.state_dict(),
                average=average.state_dict(),
                optimiser=optimiser.state_dict(),
                step=step,
                seconds=seconds,
                begun_with=begun_with,
            )
            saved = seconds


def batch_loss(
    network: LiteDetector, batch: Batch, *, device: torch.device, dtype: torch.dtype, config: LossConfig
) -> Tensor:
    """The three parts of the loss for a batch, see `detector_loss`; the network runs in `dtype`."""
    pictures = batch.pictures.to(device).to(memory_format=torch.channels_last).float() / 255
    with _precision(device, dtype):
        raw = network(pictures)
    side = pictures.shape[-1]
    sizes = [(side // stride, side // stride) for stride in LEVEL_STRIDES]
    background = batch.background.to(device)[:, None]
    levels = [nn.functional.interpolate(background, size=size).flatten(1) for size in sizes]
    return detector_loss(
        {name: raw[name].float() for name in ("boxes", "scores")},
        sizes_hw=sizes,
        strides=LEVEL_STRIDES,
        boxes_xyxy=batch.boxes_xyxy.to(device),
        picture_index=batch.picture_index.to(device),
        background=torch.cat(levels, dim=1),
        config=config,
    )


def freeze(backbone: EfficientNetLite, *, stages: int) -> None:
    """Keep the stem and the first stages as they are, and all scales and shifts of the backbone's norms."""
    for part in (backbone.stem, *backbone.stages[:stages]):
        part.requires_grad_(False)


def train_mode(network: LiteDetector) -> None:
    """Set training mode, but for the backbone's norms, which keep ImageNet's statistics."""
    network.train()
    network.backbone.eval()


def faster_dtype(network: LiteDetector, device: torch.device, *, side: int = 320) -> torch.dtype:
    """Float32 or bfloat16, whichever takes less time for a step: without the units, bfloat16 is ten times slower.

    Leaves gradients and the statistics of norms as they were.
    """
    copied = copy.deepcopy(network)
    pictures = torch.rand(4, 3, side, side, device=device).to(memory_format=torch.channels_last)
    # Time of the processor, where it does the work: others may be busy on it, and by turns.
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    times: dict[torch.dtype, list[float]] = {torch.bfloat16: [], torch.float32: []}
    for _ in range(4):  # the first ones are slow while memory is mapped
        for dtype, taken in times.items():
            started = clock()
            with _precision(device, dtype):
                raw = copied(pictures)
            (raw["boxes"].float().mean() + raw["scores"].float().mean()).backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            taken.append(clock() - started)
    return min(times, key=lambda dtype: min(times[dtype]))


def weights_in(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's checkpoint, or those of an exported `.safetensors` file as they are.

    Exported ones carry the number that `export` added to all confidence logits, so a run that begins with them first
    sees too many confident boxes; it unlearns that like any other error.
    """
    return averaged_weights(path, name="average")


def _precision(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype is torch.bfloat16)


def _parameter_groups(network: LiteDetector, config: TrainingConfig) -> list[dict[str, Any]]:
    """Weight decay for the kernels of convolutions only; a lower rate for the backbone."""
    backbone = {id(parameter) for parameter in network.backbone.parameters()}
    groups = []
    for of_backbone in (True, False):
        for kernels in (True, False):
            parameters = [
                parameter
                for parameter in network.parameters()
                if parameter.requires_grad
                and (id(parameter) in backbone) is of_backbone
                and (parameter.ndim > 1) is kernels
            ]
            groups.append({
                "params": parameters,
                "weight_decay": config.weight_decay if kernels else 0.0,
                "share": config.backbone_rate if of_backbone else 1.0,
            })  # fmt: skip
    return groups


def _progress(config: TrainingConfig, *, step: int, seconds: float) -> float:
    """Share of the run that is done; 1 and more when it is over."""
    return seconds / (config.minutes * 60) if config.steps is None else step / config.steps


def _schedule(progress: float, step: int, config: TrainingConfig) -> float:
    """Share of the learning rate: linear warm-up by steps, then half a cosine over the run, down to 1 %."""
    return min(1.0, (step + 1) / config.warmup_steps) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, *, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


def _log(run: Path, **record: Any) -> None:
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(json.dumps(record), flush=True)


def train_command(config: TrainingConfig, *, begin_with: Path | None, threads: int) -> str:
    """The command line that trains so, for the model card; options that are as always are left out."""
    length = f"--minutes {config.minutes:g}" if config.steps is None else f"--steps {config.steps}"
    begin = "" if begin_with is None else f" --begin-with {begin_with}"
    usual = config.learning_rate == TrainingConfig.learning_rate
    rate = "" if usual else f" --learning-rate {config.learning_rate:g}"
    seed = "" if config.seed == TrainingConfig.seed else f" --seed {config.seed}"
    return f"python -m training.detector train --data DATA {length}{begin}{rate}{seed} --threads {threads}"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m training.detector", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    shared.add_argument("--threads", type=int, default=1, help="CPU threads to use")
    training = commands.add_parser("train", parents=[shared], help="train, or go on with a run")
    training.add_argument("--minutes", type=float, default=TrainingConfig.minutes, help="time to train, in all")
    training.add_argument("--steps", type=int, help="steps to train, in all, however long they take")
    training.add_argument("--seed", type=int, default=TrainingConfig.seed, help="decides about all batches")
    training.add_argument(
        "--begin-with",
        type=Path,
        help="checkpoint of another run, or exported weights, to begin a new one with",
    )
    training.add_argument("--learning-rate", type=float, default=TrainingConfig.learning_rate, help="the highest one")
    exporting = commands.add_parser("export", parents=[shared], help="write a run's weights and their model card")
    exporting.add_argument("--boxes", type=int, default=BOXES, help="boxes above confidence .4 in a typical picture")
    evaluating = commands.add_parser(
        "evaluate", parents=[shared], help="measure weights on pictures that training never saw"
    )
    for command in (training, exporting):
        command.add_argument("--run", type=Path, default=Path("runs/nano-objects"), help="folder of the run")
    for command in (exporting, evaluating):
        command.add_argument(
            "--weights",
            type=Path,
            default=Path("weights/nano-objects.safetensors"),
            help="exported file; `evaluate` also takes a run's last.pt",
        )
    evaluating.add_argument("--iou", type=float, help="non-maximum suppression (default: as suits these weights)")
    evaluating.add_argument(
        "--input-side",
        type=int,
        help="longer side that pictures are scaled to (default: the weights' own)",
    )
    evaluating.add_argument(
        "--second-side",
        type=int,
        help="the same of the second look; 0: none",
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    if options.command == "train":
        config = TrainingConfig(
            minutes=options.minutes,
            steps=options.steps,
            seed=options.seed,
            learning_rate=options.learning_rate,
        )
        options.run.mkdir(parents=True, exist_ok=True)
        (options.run / "command.txt").write_text(
            train_command(config, begin_with=options.begin_with, threads=options.threads) + "\n",
            encoding="utf-8",
        )
        train(
            batches=BatchMaker(training_pictures(options.data), mix=config.mix, sides=config.sides, seed=config.seed),
            run=options.run,
            config=config,
            begin_with=options.begin_with,
        )
    elif options.command == "export":
        export(
            data=options.data,
            checkpoint=options.run / "last.pt",
            weights=options.weights,
            boxes_per_picture=options.boxes,
            command=f"python -m training.detector export --data DATA --boxes {options.boxes}",
        )
    else:
        recalls = evaluate(
            data=options.data,
            weights=options.weights,
            iou=options.iou,
            input_side=options.input_side,
            second_side=options.second_side,
        )
        print(recall_table(recalls))


if __name__ == "__main__":
    main()
