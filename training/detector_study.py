"""Compares what `nano-objects` learns from different training data: the question MobileSAMv2 leaves open.

    python -m training.detector_study --data DATA --steps 600
    python -m training.detector_study --show

All variants begin with the same random weights and take the same number of steps of eight pictures, so that they differ
in the pictures alone. All of it is repeated with another seed, to see what is noise. They are trained one after the
other; what is finished is skipped when the command is given again. The embedded weights have no part in it: they are
trained longer, and on larger pictures.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from mobilesamv2.models.detector.detector import NMS_IOU, DetectorConfig, build_detector_module
from mobilesamv2.types import Picture

from .coco_data import LabelledPicture, read_labels, read_picture
from .detector import TrainingConfig, train, weights_in
from .detector_batches import GREY, BatchMaker, Mix
from .detector_export import as_detector
from .detector_recall import BUDGETS, measure_recall

RESULTS = Path(__file__).parent / "results" / "detector_study.json"
SIDE = 320
"""Longer side in pixels of all pictures, to train and to measure: at the side of the embedded weights, 512, large boxes
would be larger than any that training showed."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One choice of training data.

    Args:
        name: its folder in a run.
        photographs: which ones, for the table.
        mix: how many pictures of each kind a batch of eight has.
        remark: what else is different, for the table.
    """

    name: str
    photographs: str
    mix: Mix
    remark: str = ""


COCO, EVERYTHING, BOTH = "COCO objects", "everything-labelled", "both"
VARIANTS = (
    Variant("coco", COCO, Mix(coco=8, panoptic=0, partial=0, scenes=0)),
    Variant("everything", EVERYTHING, Mix(coco=0, panoptic=5, partial=3, scenes=0)),
    Variant("both", BOTH, Mix(coco=4, panoptic=3, partial=1, scenes=0)),
    Variant("coco-scenes", COCO, Mix(coco=6, panoptic=0, partial=0, scenes=2)),
    Variant("everything-scenes", EVERYTHING, Mix(coco=0, panoptic=4, partial=2, scenes=2)),
    Variant("both-scenes", BOTH, Mix(coco=3, panoptic=2, partial=1, scenes=2)),
    Variant(
        "coco-naive",
        COCO,
        Mix(coco=8, panoptic=0, partial=0, scenes=0, coco_background=1.0),
        remark="unlabelled is background",
    ),
)
"""The six that the question asks for, and the usual treatment of COCO."""
SEEDS = (1, 2)
"""Of the first weights, of batches and of scenes."""


def study(
    *,
    data: Path,
    run: Path,
    steps: int,
    into: Path,
    variants: Sequence[Variant] = VARIANTS,
    seeds: Sequence[int] = SEEDS,
    config: TrainingConfig | None = None,
) -> None:
    """Train and measure each variant in a folder below `run`, and write what is known after each to `into`.

    Args:
        seeds: all variants are trained with the first, then with the next.
        config: settings that all variants share; steps, seed and mix in it are replaced.
    """
    config = config or TrainingConfig(sides=(SIDE,))
    pictures, val = read_labels(data, split="train"), read_labels(data, split="val")
    read = functools.cache(read_picture)
    results: list[dict[str, Any]] = []
    for seed in seeds:
        for variant in variants:
            # A folder of its own for another number of steps, which is another schedule.
            folder = run / f"{steps}-steps" / f"{variant.name}-{seed}"
            settings = dataclasses.replace(config, steps=steps, seed=seed, mix=variant.mix)
            if not (folder / "result.json").exists():
                batches = BatchMaker(
                    pictures, mix=settings.mix, sides=settings.sides, seed=settings.seed, read=read
                )
                train(batches=batches, val=(), run=folder, config=settings)
                _write(folder / "result.json", _measure(folder / "last.pt", val, side=max(settings.sides)))
            measured = json.loads((folder / "result.json").read_text(encoding="utf-8"))
            results.append(dataclasses.asdict(variant) | {"seed": seed, "steps": steps} | measured)
            _write(into, results)


def _measure(checkpoint: Path, val: Sequence[LabelledPicture], *, side: int) -> dict[str, Any]:
    """Recall of a checkpoint's averaged weights with the best boxes, however low their confidence is.

    Also what is found "blind", with grey pictures instead: large boxes are met by guessing where such boxes lie.
    """
    network = build_detector_module(DetectorConfig())
    network.load_state_dict(weights_in(checkpoint))
    detector = as_detector(network, input_side=side)
    found = {
        "recall": dataclasses.asdict(measure_recall(detector, val, iou=NMS_IOU, least=0.0)),
        "blind": dataclasses.asdict(measure_recall(detector, val, iou=NMS_IOU, least=0.0, read=_grey)),
    }
    for recall in found.values():
        # These two count boxes above a confidence, which says nothing before it is calibrated.
        del recall["boxes_per_picture"], recall["confident_recall"]
    return found


def _grey(picture: LabelledPicture) -> Picture:
    return np.full((*picture.size_hw, 3), GREY, dtype=np.uint8)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


COLUMNS: dict[str, tuple[str, str, str]] = {
    **{f"AR@{budget}": ("recall", "average_recall", str(budget)) for budget in BUDGETS},
    "recall at IoU .5": ("recall", "recall_at_half", "100"),
    "covered": ("recall", "coverage", "100"),
    "AR@100 blind": ("blind", "average_recall", "100"),
    "covered blind": ("blind", "coverage", "100"),
}
"""Where the numbers of the table are in a result."""


def study_table(results: Sequence[dict[str, Any]]) -> str:
    """What `study` wrote as a Markdown table, a row for each variant with the mean over its seeds.

    The sentence below it says how far apart seeds of one variant are at most, among those with several.
    """
    by_variant: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_variant.setdefault(result["name"], []).append(result)
    head = ["photographs", "drawn scenes", "seeds", *COLUMNS]
    rows = [head, ["---"] * len(head)]
    spread = dict.fromkeys(COLUMNS, 0.0)
    for same in by_variant.values():
        numbers = {
            column: [result[part][measure][budget] for result in same]
            for column, (part, measure, budget) in COLUMNS.items()
        }
        spread = {column: max(spread[column], max(of) - min(of)) for column, of in numbers.items()}
        first, scenes = same[0], same[0]["mix"]["scenes"]
        rows.append(
            [
                first["photographs"] + (f", {first['remark']}" if first["remark"] else ""),
                f"{scenes} of 8" if scenes else "none",
                str(len(same)),
                *(f"{sum(of) / len(of):.3f}" for of in numbers.values()),
            ]
        )
    several = sum(len(same) > 1 for same in by_variant.values())
    apart = ", ".join(f"{column} {value:.3f}" for column, value in spread.items())
    noise = f"Seeds of one variant ({several} had several) are at most so far apart: {apart}."
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{table}\n\n{noise if several else 'Each variant had one seed.'}\n"


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        prog="python -m training.detector_study", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, help="folder with annotations.json and images/")
    parser.add_argument("--run", type=Path, default=Path("runs/study"), help="folder for checkpoints")
    parser.add_argument("--steps", type=int, default=600, help="steps of each variant")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads to use")
    parser.add_argument("--into", type=Path, default=RESULTS, help="file for what was measured")
    parser.add_argument("--show", action="store_true", help="only print the table of a study that is there")
    options = parser.parse_args()
    if not options.show:
        if options.data is None:
            parser.error("--data is needed, unless there is a study to --show")
        torch.set_num_threads(options.threads)
        cv2.setNumThreads(options.threads)
        study(data=options.data, run=options.run, steps=options.steps, into=options.into)
    print(study_table(json.loads(options.into.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
