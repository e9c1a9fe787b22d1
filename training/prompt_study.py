"""Does the gain of object-aware sampling come from the sampling or from the training?

    python -m training.prompt_study --data DATA --steps 600 --seeds 0 1 2

MobileSAMv2 (arXiv 2312.09579) prompts with boxes a decoder that was trained with points and boxes. Here the mask head
of `nano` is trained anew twice for each seed, from the same random weights on the same crops: once with points alone,
and once with two boxes in three prompts. The encoder is that of `nano` and stays as it is: both trainings share it, and
the time goes into what answers prompts. Both then segment everything with every sampler, and answer true boxes and
points. The rows are the training, the columns the sampling. A run that was stopped goes on by the same command.
"""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import mobilesamv2
from mobilesamv2.evaluate.datasets import Dataset, read_dataset
from mobilesamv2.evaluate.prompted import prompted_iou
from mobilesamv2.evaluate.run import Plan, evaluate
from mobilesamv2.filters import MaskFilters
from mobilesamv2.request import Request
from mobilesamv2.segmenter import Segmenter

from . import segmenter
from .crops import BOX_SHARE, CropSize

TRAININGS = {"points alone": 0.0, "boxes and points": BOX_SHARE}
"""Share of boxes among the prompts of each training."""
FILTERS = MaskFilters(mask_nms=0.7)
"""Of all samplers: thresholds of predicted IoU and stability suit one training better than another, copies nobody."""
REQUESTS = (
    Request("grid", points_per_side=16, mask_filters=FILTERS),
    Request("box-centres", max_prompts=100, mask_filters=FILTERS),
    Request("object-aware", max_prompts=100, mask_filters=FILTERS),
)
EMBEDDED = Path(__file__).parents[1] / "weights" / "nano.safetensors"
SIZES = (CropSize(256, 8, 1.0),)
"""Half of the crops of a step of `nano`'s own training, all of the smallest size."""


def measure(weights: Path, dataset: Dataset) -> dict[str, float]:
    """What a student reaches: AR@100 of every sampler, and the mean IoU of its answers to true boxes and points."""
    load = functools.cache(functools.partial(_load, weights))
    plan = Plan(make_segmenter=load, model=weights.stem, requests=REQUESTS)
    rows = evaluate(plan, dataset)["rows"]
    found: dict[str, float] = {row["sampler"]: row["mask_ar"]["100"] for row in rows}
    prompted = prompted_iou(load(), dataset.photographs, longest_side=None)
    return found | {"true box": float(prompted.box.mean()), "true point": float(prompted.point.mean())}


def _load(weights: Path) -> Segmenter:
    return mobilesamv2.load("nano", weights=weights, device="cpu")


def study(
    *, data: Path, seeds: Sequence[int], steps: int, pictures: int, runs: Path, threads: int, into: Path
) -> dict[str, Any]:
    """Train and measure every combination, and write what came of it after each."""
    dataset = read_dataset(data, split="val")
    dataset = Dataset(dataset.photographs[:pictures], dataset.is_federated)
    results: dict[str, Any] = {
        "command": f"python -m training.prompt_study --data DATA --steps {steps} --pictures {pictures} --seeds "
        + " ".join(map(str, seeds)),
        "rows": [],
    }
    for seed in seeds:
        for name, share in TRAININGS.items():
            run = runs / f"{name.replace(' ', '-')}-{seed}"
            segmenter.train(
                data=data,
                run=run,
                minutes=0,
                steps=steps,
                seed=seed,
                threads=threads,
                workers=0,
                device="cpu",
                begin_with=EMBEDDED,
                head_only=True,
                learning_rate=segmenter.LEARNING_RATE,
                box_share=share,
                sizes=SIZES,
            )
            segmenter.export(run=[run], into=run / "weights.safetensors")
            results["rows"].append({"training": name, "seed": seed, **measure(run / "weights.safetensors", dataset)})
            into.parent.mkdir(parents=True, exist_ok=True)
            into.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return results


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of means over seeds in percent, with the smallest and largest value."""
    columns = [name for name in rows[0] if name not in ("training", "seed")]
    lines = ["| trained with | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for training in dict.fromkeys(row["training"] for row in rows):
        values = [[100 * row[name] for row in rows if row["training"] == training] for name in columns]
        cells = [f"{np.mean(each):.1f} ({min(each):.1f} to {max(each):.1f})" for each in values]
        lines.append(f"| {training} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with and without boxes, segment with boxes and points.")
    parser.add_argument("--data", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--steps", type=int, default=600, help="of each training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--pictures", type=int, default=24, help="of val, to measure on")
    parser.add_argument("--runs", type=Path, default=Path("runs/prompt-study"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--into", type=Path, default=Path("benchmarks/results/evaluation/prompts.json"))
    print(table(study(**vars(parser.parse_args()))["rows"]))


if __name__ == "__main__":
    main()
