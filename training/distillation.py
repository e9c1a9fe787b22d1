"""Decoupled distillation: an image encoder learns to give another one's embeddings, on any folder of photographs.

    python -m training.distillation train --teacher sam-vit-h --student mobilesam --photographs FOLDER --minutes 600
    python -m training.distillation export --run runs/distilled --into my-mobilesam.safetensors

The recipe of MobileSAM (arXiv 2306.14289, section 3): the mean squared error between both embeddings of a picture is
all there is to learn, no mask and no prompt is needed, and the decoder stays the teacher's. The export is that encoder
with that prompt encoder and mask decoder; `mobilesamv2.load("mobilesam", weights="my-mobilesam.safetensors")` takes it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from mobilesamv2 import zoo
from mobilesamv2.build import build_sam
from mobilesamv2.errors import InvalidImageError, MobileSamError, PromptError
from mobilesamv2.geometry import ResizeLongestSide
from mobilesamv2.images import SUFFIXES, load_image
from mobilesamv2.models.preprocess import to_input
from mobilesamv2.models.sam import Sam, SamConfig

from .checkpoints import save
from .distillation_card import Measured, measure, write_card

HELD_OUT = 20
"""Every so many photographs one is never trained on, for measuring."""
WARM_UP_STEPS = 100
CHECKPOINT_STEPS = 50


@dataclass(frozen=True)
class Settings:
    """What makes a run what it is; kept in its checkpoint.

    Args:
        teacher, student: names of the zoo's models.
        teacher_weights, student_weights: checkpoints instead of the zoo's; a student without one begins at random.
        photographs: folder, searched with all folders in it.
        batch: photographs a step.
        learning_rate: the highest one.
        seed: of the order of photographs and of random weights.
    """

    teacher: str
    student: str
    photographs: str
    teacher_weights: str | None = None
    student_weights: str | None = None
    batch: int = 4
    learning_rate: float = 1e-3
    seed: int = 0


def find_photographs(folder: Path) -> tuple[list[Path], list[Path]]:
    """The photographs of a folder, those to train on and those held out, in an order that names alone decide.

    Raises:
        MobileSamError: if there are none, or too few to hold one out.
    """
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    held_out = found[::HELD_OUT]
    train = [path for index, path in enumerate(found) if index % HELD_OUT]
    if not train:
        raise MobileSamError(f"{folder} holds {len(found)} photographs; distillation needs two at least.")
    return train, held_out


def build_networks(settings: Settings, *, device: str) -> tuple[Sam, Sam]:
    """Teacher and student, whose embeddings must have the same shape.

    Raises:
        UnknownModelError, WeightsError: as `mobilesamv2.load`.
        PromptError: if a model is none of SAM's family, or the embeddings differ.
    """
    for name in (settings.teacher, settings.student):
        if not isinstance(zoo.find_model(name).config, SamConfig):
            raise PromptError(f"{name} has a mask head of its own; distillation needs models of SAM's family.")
    torch.manual_seed(settings.seed)
    config = zoo.find_model(settings.student).config
    assert isinstance(config, SamConfig)
    if settings.student_weights is None:
        student = Sam.from_config(config).to(device)
    else:
        student = _sam(
            build_sam(settings.student, weights=settings.student_weights, device=device, dtype=torch.float32)
        )
        student.requires_grad_(True)
    teacher = _sam(build_sam(settings.teacher, weights=settings.teacher_weights, device=device))
    shapes = [network.prompt_encoder.config for network in (teacher, student)]
    if shapes[0] != shapes[1]:
        raise PromptError(
            f"The embeddings of {settings.teacher} and {settings.student} differ: width {shapes[0].width}, side "
            f"{shapes[0].embedding_side}, and width {shapes[1].width}, side {shapes[1].embedding_side}."
        )
    return teacher, student


def _sam(network: Any) -> Sam:
    assert isinstance(network, Sam)
    return network


def order_of(count: int, *, seed: int, begin: int = 0) -> Iterator[int]:
    """Which photograph comes when, from the `begin`-th on: every epoch in an order of its own. Never ends."""
    epoch, place = divmod(begin, count)
    while True:
        yield from np.random.default_rng((seed, epoch)).permutation(count)[place:].tolist()
        epoch, place = epoch + 1, 0


def pixels_of(photographs: Sequence[Path], *, side: int, device: str) -> Tensor:
    """Photographs as an encoder with squares of `side` takes them: (B, 3, side, side), resized, normalised, padded."""
    pictures = []
    for path in photographs:
        picture = load_image(path)
        pictures.append(to_input(picture, ResizeLongestSide((picture.shape[0], picture.shape[1]), side), device=device))
    return torch.cat(pictures)


def readable(paths: Sequence[Path]) -> list[Path]:
    """Those that can be read; the others are named and left out."""
    kept = []
    for path in paths:
        try:
            load_image(path)
            kept.append(path)
        except InvalidImageError as error:
            print(f"left out: {error}", flush=True)
    return kept


class Embeddings:
    """The teacher's embeddings, each computed once where a folder is given to keep them in.

    Args:
        teacher: gives them.
        photographs: what is asked for.
        folder: keeps one file of float16 numbers for each photograph, 2 MB of SAM's; None: nothing is kept.
    """

    def __init__(self, teacher: Sam, photographs: Sequence[Path], folder: Path | None) -> None:
        self.teacher, self.photographs, self.folder = teacher, photographs, folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def of(self, index: int) -> Tensor:
        """float32 (1, C, h, w) of a photograph, on the teacher's device."""
        device = str(self.teacher.device)
        kept = None if self.folder is None else self.folder / f"{index:08d}.npy"
        if kept is not None and kept.exists():
            return torch.from_numpy(np.load(kept)).to(device).float()
        pixels = pixels_of([self.photographs[index]], side=self.teacher.picture_side, device=device)
        embedding = self.teacher.encode(pixels).float()
        if kept is not None:
            part = kept.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, embedding.half().cpu().numpy())
            part.replace(kept)
        return embedding


def train(
    settings: Settings,
    *,
    run: Path,
    minutes: float,
    steps: int | None = None,
    device: str = "cpu",
    embeddings: Path | None = None,
) -> None:
    """Train until `minutes` have been spent, counting those of earlier starts of the same run, or for `steps`.

    Args:
        settings: of the run; a run that goes on must have the same.
        run: gets `checkpoint.pt` and `log.jsonl`.
        device: of both networks.
        embeddings: folder to keep the teacher's embeddings in, so that a large teacher sees each photograph once.

    Raises:
        MobileSamError: as `build_networks` and `find_photographs`; also if the run has other settings.
    """
    run.mkdir(parents=True, exist_ok=True)
    checkpoint = run / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True, map_location=device) if checkpoint.exists() else None
    if state is not None and state["settings"] != asdict(settings):
        raise MobileSamError(f"{run} holds another run ({state['settings']}); give another folder.")
    photographs = readable(find_photographs(Path(settings.photographs))[0])
    if not photographs:
        raise MobileSamError(f"No photograph of {settings.photographs} can be read.")
    teacher, student = build_networks(settings, device=device)
    encoder = student.image_encoder.train()
    trained = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=5e-4)
    step, spent = 0, 0.0
    if state is not None:
        encoder.load_state_dict(state["encoder"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step} after {spent / 60:.1f} minutes", flush=True)
    wanted = Embeddings(teacher, photographs, embeddings)
    order = order_of(len(photographs), seed=settings.seed, begin=step * settings.batch)
    started = time.monotonic() - spent
    losses: list[float] = []

    def keep() -> None:
        save(
            checkpoint,
            encoder=encoder.state_dict(),
            optimizer=optimizer.state_dict(),
            settings=asdict(settings),
            step=step,
            spent=time.monotonic() - started,
        )

    with (run / "log.jsonl").open("a", encoding="utf-8") as log:
        while (progress := step / steps if steps else (time.monotonic() - started) / (60 * minutes)) < 1:
            chosen = [next(order) for _ in range(settings.batch)]
            rate = min(1, (step + 1) / WARM_UP_STEPS) * (0.5 + 0.5 * math.cos(math.pi * progress))
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * rate
            pixels = pixels_of([photographs[index] for index in chosen], side=student.picture_side, device=device)
            target = torch.cat([wanted.of(index) for index in chosen])
            with torch.autocast(target.device.type, dtype=torch.bfloat16, enabled=target.device.type == "cuda"):
                embedding = encoder(pixels)
            loss = F.mse_loss(embedding.float(), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            step += 1
            losses.append(loss.item())
            if step % CHECKPOINT_STEPS == 0:
                record = {"step": step, "minutes": round((time.monotonic() - started) / 60, 2)}
                line = json.dumps(record | {"loss": float(np.mean(losses))})
                print(line, flush=True)
                print(line, file=log, flush=True)
                losses = []
                keep()
    keep()


def export(*, run: Path, into: Path, device: str = "cpu", measure_at_most: int = 50) -> Measured:
    """Write the student's encoder with the teacher's decoder as float16 safetensors, and a model card beside it.

    Args:
        run: folder of `train`.
        into: the file; the card is written beside it, ending in `.md`.
        measure_at_most: so many held-out photographs are measured for the card.

    Raises:
        MobileSamError: if there is no run, or as `build_networks`.
    """
    checkpoint = run / "checkpoint.pt"
    if not checkpoint.exists():
        raise MobileSamError(f"{run} holds no checkpoint; train first.")
    state = torch.load(checkpoint, weights_only=True, map_location=device)
    settings = Settings(**state["settings"])
    teacher, student = build_networks(settings, device=device)
    student.image_encoder.load_state_dict(state["encoder"])
    student.prompt_encoder.load_state_dict(teacher.prompt_encoder.state_dict())
    student.mask_decoder.load_state_dict(teacher.mask_decoder.state_dict())
    student.eval()
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in student.state_dict().items()
    }
    metadata = {
        "format": "pt",
        "model": settings.student,
        "teacher": settings.teacher,
        "steps": str(state["step"]),
    }
    save_file(tensors, into, metadata=metadata)
    trained, held_out = find_photographs(Path(settings.photographs))
    measured = measure(teacher, student, readable(held_out)[:measure_at_most])
    write_card(
        into.with_suffix(".md"),
        settings=asdict(settings),
        steps=state["step"],
        minutes=state["spent"] / 60,
        photographs=len(trained),
        measured=measured,
    )
    print(f"{into}: {into.stat().st_size / 1e6:.1f} MB after {state['step']} steps; {measured}")
    return measured


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; see the first lines of this file."""
    parser = argparse.ArgumentParser(description="Let an image encoder learn another one's embeddings.")
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("train", help="train, or go on with a run")
    training.add_argument("--teacher", required=True, metavar="NAME", help="a model of SAM's family")
    training.add_argument("--teacher-weights", metavar="FILE", help="its checkpoint, instead of the known one")
    training.add_argument("--student", required=True, metavar="NAME", help="whose encoder learns")
    training.add_argument("--student-weights", metavar="FILE", help="to begin with; without them at random")
    training.add_argument("--photographs", required=True, metavar="FOLDER", help="searched with all folders in it")
    training.add_argument("--run", type=Path, default=Path("runs/distilled"))
    training.add_argument("--minutes", type=float, default=600, help="time to train, in all")
    training.add_argument("--steps", type=int, help="steps to train, in all, instead of a time")
    training.add_argument("--batch", type=int, default=Settings.batch, help="photographs a step")
    training.add_argument("--learning-rate", type=float, default=Settings.learning_rate, help="the highest one")
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--embeddings", type=Path, metavar="FOLDER", help="keep the teacher's embeddings here")
    exporting = commands.add_parser("export", help="write a run's weights as safetensors, with a model card")
    exporting.add_argument("--run", type=Path, default=Path("runs/distilled"))
    exporting.add_argument("--into", type=Path, required=True, metavar="FILE")
    for command in (training, exporting):
        command.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = vars(parser.parse_args(arguments))
    try:
        if options.pop("command") == "export":
            export(**options)
            return
        own = {name: options.pop(name) for name in ("run", "minutes", "steps", "device", "embeddings")}
        train(Settings(**options), **own)
    except MobileSamError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
