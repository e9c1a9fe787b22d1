"""Seconds and memory against the number of prompts, for both samplers with MobileSAM's architecture.

    python -m benchmarks.scaling [--largest 1024] [--threads 2]

Every point is a process of its own, so that its peak memory is its own too. The weights are synthetic and boxes are
given; what masks are kept does not change the time of decoding. Writes a plot beside the JSON file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from mobilesamv2.prompts import GridSampler, MaskFilters, ObjectAwareSampler
from mobilesamv2.segmenter import Segmenter

from .harness import parser_of, report
from .peak_memory import peak_gigabytes
from .peers import our_mobile_sam, random_boxes
from .pipeline import SIZE_WH, GivenBoxes, smooth_picture

SAMPLERS = ("object-aware", "grid")


def one(sampler: str, prompts: int) -> dict[str, Any]:
    """Run one sampler once in this process."""
    boxes = GivenBoxes(random_boxes(prompts, size_wh=SIZE_WH))
    segmenter, picture = Segmenter(our_mobile_sam(), name="mobilesam"), smooth_picture()
    embedding = segmenter.encode(picture)
    segmenter.decode_logits(embedding, boxes=boxes.found.boxes_xyxy[:8])  # to warm up
    before = peak_gigabytes()
    chosen = (
        ObjectAwareSampler(detector=boxes, max_prompts=prompts)
        if sampler == "object-aware"
        # About a hundredth of the answers passes, as with trained weights and SAM's own thresholds.
        else GridSampler(points_per_side=round(prompts**0.5), filters=MaskFilters(predicted_iou=1.6))
    )
    result = segmenter.segment_everything(picture, sampler=chosen, embedding=embedding)
    return {
        "sampler": sampler,
        "prompts": len(result.prompts),
        "masks decoded": result.masks_decoded,
        "masks": len(result.masks),
        "decoding, s": result.timings["decode"],
        "masks made compact, s": result.timings["postprocess"],
        "memory, GB": peak_gigabytes(),
        "of it before, GB": before,
    }


def plot(rows: Sequence[dict[str, Any]], into: Path) -> None:
    """Both quantities against the number of prompts, both axes logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for sampler, colour in zip(SAMPLERS, ("#0f766e", "#b45309"), strict=True):
        of_sampler = [row for row in rows if row["sampler"] == sampler]
        prompts = [row["prompts"] for row in of_sampler]
        seconds = [row["decoding, s"] + row["masks made compact, s"] for row in of_sampler]
        axes[0].plot(prompts, seconds, "o-", color=colour, label=sampler)
        axes[1].plot(prompts, [row["memory, GB"] for row in of_sampler], "o-", color=colour, label=sampler)
    for axis, title in zip(axes, ("seconds of decoding and making masks compact", "peak memory, GB"), strict=True):
        axis.set(xscale="log", xlabel="prompts", title=title)
        axis.set_xticks([16, 32, 64, 128, 256, 512, 1024], labels=["16", "32", "64", "128", "256", "512", "1024"])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend()
    axes[0].set_yscale("log")
    axes[1].set_ylim(bottom=0)
    figure.savefig(into, dpi=110)
    print(f"plotted to {into}")


def main() -> None:
    parser = parser_of("Measure seconds and memory against the number of prompts.", "scaling")
    parser.add_argument("--largest", type=int, default=1024, help="number of prompts")
    parser.add_argument("--one", nargs=2, metavar=("SAMPLER", "PROMPTS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.one:
        print(json.dumps(one(options.one[0], int(options.one[1]))))
        return
    rows: list[dict[str, Any]] = []
    counts = [count for count in (16, 32, 64, 128, 256, 512, 1024) if count <= options.largest]
    for sampler in SAMPLERS:
        for count in counts:
            command = [sys.executable, "-m", "benchmarks.scaling", "--threads", str(options.threads)]
            found = subprocess.run([*command, "--one", sampler, str(count)], check=True, capture_output=True, text=True)
            rows.append(json.loads(found.stdout.splitlines()[-1]))
    report("scaling", rows, into=options.into)
    plot(rows, options.into.with_suffix(".png"))


if __name__ == "__main__":
    main()
