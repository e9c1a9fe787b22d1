"""Trains `nano-objects`, the embedded object detector: a YOLOv8n with one class.

    python -m training.detector train --data DATA --run runs/nano-objects --minutes 95
    python -m training.detector export --data DATA --run runs/nano-objects
    python -m training.detector evaluate --data DATA

The loop is plain: Ultralytics gives the network and its loss, not its trainer. A run can be stopped at any time and
started again by the same command; it goes on where its last checkpoint was written. A new run can begin with the
weights of another one, or with exported ones.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import random
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mobilesamv2.models.detector.detector import DetectorConfig, build_detector_module

from .checkpoints import averaged_weights, save
from .coco_data import LabelledPicture, read_labels
from .detector_batches import Batch, BatchMaker, Mix
from .detector_export import as_detector, evaluate, export, recall_table
from .detector_recall import measure_recall


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a run is trained.

    It takes `minutes`, however many steps that gives; or `steps`, if there are any, however long they take.
    """

    minutes: float = 98.0
    steps: int | None = None
    seed: int = 1
    sides: tuple[int, ...] = (320, 384, 448, 512)
    mix: Mix = dataclasses.field(default_factory=Mix)
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.01
    warmup_steps: int = 150
    average_decay: float = 0.999
    box_gain: float = 7.5
    class_gain: float = 0.5
    distribution_gain: float = 1.5
    evaluate_every_minutes: float = 12.0
    checkpoint_every_minutes: float = 2.0


def train(
    *,
    batches: BatchMaker,
    val: Sequence[LabelledPicture],
    run: Path,
    config: TrainingConfig,
    begin_with: Path | None = None,
) -> None:
    """Train until the minutes or steps are used up; writes `last.pt`, `best.pt` and `log.jsonl` in the folder `run`.

    Args:
        val: pictures for a look at the recall now and then, which decides what is best; none, and `best.pt` is not
            written.
        begin_with: what a new run begins with instead of random weights, see `weights_in`.
    """
    random.seed(config.seed)
    np.random.seed(config.seed)  # noqa: NPY002 - Ultralytics may draw from it
    torch.manual_seed(config.seed)
    run.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = build_detector_module(DetectorConfig())
    last = run / "last.pt"
    if begin_with is not None and not last.exists():
        network.load_state_dict(weights_in(begin_with))
    network.to(device).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    criterion = _criterion(network, config)
    average = copy.deepcopy(network).eval()
    optimiser = torch.optim.AdamW(_parameter_groups(network, config), lr=config.learning_rate)
    step, seconds, best = 0, 0.0, -1.0
    begun_with = "" if begin_with is None else str(begin_with)
    if last.exists():
        state = torch.load(last, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        step, seconds, best = state["step"], state["seconds"], state["best"]
        begun_with = state.get("begun_with", "")
    started = time.monotonic() - seconds
    evaluated = saved = seconds
    losses: list[Tensor] = []
    while (progress := _progress(config, step=step, seconds=seconds)) < 1:
        rate = config.learning_rate * _schedule(progress, step, config)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss, parts = _loss(network, criterion, batches.batch(step), device)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        step += 1
        _follow(average, network, decay=config.average_decay * (1 - math.exp(-step / 300)))
        losses.append(parts.cpu())
        seconds = time.monotonic() - started
        if step % 50 == 0:
            mean = torch.stack(losses[-50:]).mean(dim=0).tolist()
            _log(
                run,
                step=step,
                minutes=seconds / 60,
                rate=rate,
                loss=dict(zip(("box", "class", "distribution"), mean, strict=True)),
            )
        finished = _progress(config, step=step, seconds=seconds) >= 1
        if val and (finished or seconds - evaluated > config.evaluate_every_minutes * 60):
            recall = measure_recall(as_detector(average), val, least=0.03)
            _log(run, step=step, minutes=seconds / 60, recall=dataclasses.asdict(recall))
            if recall.average_recall[100] > best:
                best = recall.average_recall[100]
                save(
                    run / "best.pt",
                    average=average.state_dict(),
                    step=step,
                    seconds=seconds,
                    begun_with=begun_with,
                )
            evaluated = seconds = time.monotonic() - started
        if finished or seconds - saved > config.checkpoint_every_minutes * 60:
            save(
                last,
                network=network.state_dict(),
                average=average.state_dict(),
                optimiser=optimiser.state_dict(),
                step=step,
                seconds=seconds,
                best=best,
                begun_with=begun_with,
            )
            saved = seconds


def weights_in(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a run's checkpoint, or those of an exported `.safetensors` file as they are.

    Exported ones carry the number that `export` added to all confidence logits, so a run that begins with them first
    sees too many confident boxes; it unlearns that like any other error.
    """
    return averaged_weights(path, name="average")


def _loss(network: nn.Module, criterion: Any, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """The loss to minimise and its three parts (box, class, distribution)."""
    pictures = batch.pictures.to(device).to(memory_format=torch.channels_last).float() / 255
    with torch.autocast(device.type, dtype=torch.bfloat16):
        raw = network(pictures)
    raw = {key: value.float() if isinstance(value, Tensor) else value for key, value in raw.items()}
    criterion.bce = partial(
        weighted_cross_entropy, background_weight=batch.background_weight.to(device)[:, None, None]
    )
    targets = {
        "batch_idx": batch.picture_index.float(),
        "cls": torch.zeros(len(batch.picture_index), 1),
        "bboxes": batch.boxes_cxcywh,
    }
    parts, _ = criterion(raw, targets)
    return parts.sum(), parts.detach() / len(pictures)


def weighted_cross_entropy(logits: Tensor, targets: Tensor, *, background_weight: Tensor) -> Tensor:
    """Binary cross-entropy (B, A, classes), unreduced, less where nothing is labelled.

    Args:
        background_weight: (B, 1, 1), in 0..1; what an anchor without an object counts in each picture.
    """
    weight = torch.where(targets > 0, torch.ones_like(targets), background_weight)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * weight


def _criterion(network: nn.Module, config: TrainingConfig) -> Any:
    network.args = SimpleNamespace(box=config.box_gain, cls=config.class_gain, dfl=config.distribution_gain)  # type: ignore[assignment]
    return network.init_criterion()  # type: ignore[operator]


def _parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """Weight decay for the kernels of convolutions only."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _progress(config: TrainingConfig, *, step: int, seconds: float) -> float:
    """Share of the run that is done; 1 and more when it is over."""
    return seconds / (config.minutes * 60) if config.steps is None else step / config.steps


def _schedule(progress: float, step: int, config: TrainingConfig) -> float:
    """Share of the learning rate: linear warm-up by steps, then half a cosine over the run, down to 1 %."""
    return min(1.0, (step + 1) / config.warmup_steps) * (
        0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))
    )


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
    return f"python -m training.detector train --data DATA {length}{begin}{rate} --threads {threads}"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        prog="python -m training.detector", description=(__doc__ or "").splitlines()[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    shared.add_argument("--threads", type=int, default=1, help="CPU threads to use")
    training = commands.add_parser("train", parents=[shared], help="train, or go on with a run")
    training.add_argument(
        "--minutes", type=float, default=TrainingConfig.minutes, help="time to train, in all"
    )
    training.add_argument("--steps", type=int, help="steps to train, in all, however long they take")
    training.add_argument(
        "--begin-with",
        type=Path,
        help="checkpoint of another run, or exported weights, to begin a new one with",
    )
    training.add_argument(
        "--learning-rate", type=float, default=TrainingConfig.learning_rate, help="the highest one"
    )
    exporting = commands.add_parser(
        "export", parents=[shared], help="write a run's weights and their model card"
    )
    exporting.add_argument(
        "--boxes", type=int, default=80, help="boxes above confidence .4 in a typical picture"
    )
    exporting.add_argument(
        "--checkpoint", default="best.pt", help="best.pt, or last.pt for the newest weights"
    )
    evaluating = commands.add_parser(
        "evaluate", parents=[shared], help="measure exported weights on val pictures"
    )
    for command in (training, exporting):
        command.add_argument("--run", type=Path, default=Path("runs/nano-objects"), help="folder of the run")
    for command in (exporting, evaluating):
        command.add_argument("--weights", type=Path, default=Path("weights/nano-objects.safetensors"))
    evaluating.add_argument(
        "--iou", type=float, help="non-maximum suppression (default: as suits these weights)"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(options.threads)
    if options.command == "train":
        config = TrainingConfig(
            minutes=options.minutes, steps=options.steps, learning_rate=options.learning_rate
        )
        options.run.mkdir(parents=True, exist_ok=True)
        (options.run / "command.txt").write_text(
            train_command(config, begin_with=options.begin_with, threads=options.threads) + "\n",
            encoding="utf-8",
        )
        train(
            batches=BatchMaker(
                read_labels(options.data, split="train"),
                mix=config.mix,
                sides=config.sides,
                seed=config.seed,
            ),
            val=read_labels(options.data, split="val")[::2],  # a quick look; `evaluate` takes all
            run=options.run,
            config=config,
            begin_with=options.begin_with,
        )
    elif options.command == "export":
        export(
            data=options.data,
            checkpoint=options.run / options.checkpoint,
            weights=options.weights,
            boxes_per_picture=options.boxes,
            command="python -m training.detector export --data DATA"
            f" --checkpoint {options.checkpoint} --boxes {options.boxes}",
        )
    else:
        print(recall_table(evaluate(data=options.data, weights=options.weights, iou=options.iou)))


if __name__ == "__main__":
    main()
