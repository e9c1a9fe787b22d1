"""`mobilesamv2 evaluate`: how much of what is labelled is found, and how well true boxes and points are answered."""

from __future__ import annotations

import argparse
import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .options import (
    Commands,
    Loader,
    add_model_options,
    add_request_options,
    load_segmenter,
    positive,
    request_of,
)
from .presets import add_preset_options, run_presets
from .table import table

if TYPE_CHECKING:
    from ..evaluate.datasets import Dataset
    from ..evaluate.run import Record


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="measure masks on annotated photographs",
        description="Average recall of masks and boxes, without classes, as COCO defines it, of segmenting everything "
        "in annotated photographs. A run with -o that was stopped goes on by the same command.",
    )
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder with annotations.json and images/, or an annotation file of COCO or LVIS",
    )
    parser.add_argument("--annotations", type=Path, metavar="FILE", help="the annotations, if they are elsewhere")
    parser.add_argument("--images", type=Path, metavar="DIR", help="the photographs, if they are elsewhere")
    parser.add_argument("--split", metavar="NAME", help="only pictures that the file marks so")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pictures")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the results here as JSON")
    parser.add_argument(
        "--workers", type=positive, default=1, metavar="N", help="processes, each with a model (%(default)s)"
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="SAMPLER[:N]",
        help="another way, such as grid:16 or object-aware:64; can be given often, and shares the encoding",
    )
    add_preset_options(parser)
    parser.add_argument(
        "--prompted",
        action="store_true",
        help="instead the mean IoU of answers to true boxes and to true points",
    )
    parser.add_argument(
        "--longest-side",
        type=positive,
        metavar="PIXELS",
        help="with --prompted: resize every picture to this first",
    )
    add_request_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure a model; see `add_parser`."""
    from ..evaluate.datasets import Dataset, read_dataset

    dataset = read_dataset(options.data, annotations=options.annotations, images=options.images, split=options.split)
    dataset = Dataset(dataset.photographs[: options.limit], dataset.is_federated)
    if options.preset or options.leave_out:
        return run_presets(options, dataset)
    if options.prompted:
        return _prompted(options, dataset)
    results = _measure(options, dataset)
    print(f"{results['model']}: {results['rows'][0]['objects']} objects in {results['pictures']} pictures")
    print(table([_line(row) for row in results["rows"]]))
    return 0


def _measure(options: argparse.Namespace, dataset: Dataset) -> Record:
    from tqdm import tqdm

    from ..evaluate.run import Plan, evaluate
    from ..export import json_bytes, write_file

    load = functools.cache(Loader(options))
    load()  # a name or a file that is wrong is told before anything begins
    plan = Plan(
        make_segmenter=load if options.workers == 1 else Loader(options),
        model=f"{options.model} + {options.detector or 'its own detector'}",
        requests=(request_of(options), *(request_of(options, text) for text in options.also)),
    )
    output: Path | None = options.output
    progress_file = None if output is None else output.with_name(output.name + ".pictures.jsonl")
    with tqdm(total=len(dataset.photographs), unit="photo", file=sys.stderr, disable=None) as bar:
        results = evaluate(
            plan,
            dataset,
            progress_file=progress_file,
            workers=options.workers,
            on_picture=lambda done: bar.update(done - bar.n),
        )
    if output is not None and progress_file is not None:
        write_file(output, json_bytes(results))
        progress_file.unlink()
    return results


def _line(row: Record) -> dict[str, object]:
    def number(value: float | None) -> float:
        return float("nan") if value is None else value

    return {
        "sampler": row["sampler"],
        "prompts": round(row["prompts"], 1),
        "masks": round(row["masks"], 1),
        **{f"AR@{k}": number(value) for k, value in row["mask_ar"].items()},
        **{name: number(row["mask_ar_by_group"][name]["1000"]) for name in ("small", "medium", "large")},
        "box_AR@100": number(row["box_ar"]["100"]),
        "best_IoU": number(row["mean_best_iou"]),
        "coverage": row["coverage"],
        "seconds": round(sum(row["seconds"].values()), 2),
    }


def _prompted(options: argparse.Namespace, dataset: Dataset) -> int:
    from tqdm import tqdm

    from ..evaluate.prompted import prompted_iou

    segmenter = load_segmenter(options)
    photographs = tqdm(dataset.photographs, unit="photo", file=sys.stderr, disable=None)
    found = prompted_iou(segmenter, photographs, longest_side=options.longest_side)
    name = segmenter.name
    print(f"{name} on {segmenter.device_description}: {len(found)} objects in {len(dataset.photographs)} pictures")
    print(
        table(
            [
                {"mask": f"{name}, true box", "mean_iou": float(found.box.mean())},
                {"mask": f"{name}, true point, best of three", "mean_iou": float(found.point.mean())},
                {"mask": "ellipse filled into the box", "mean_iou": float(found.filled_ellipse.mean())},
                {"mask": "the filled box", "mean_iou": float(found.filled_box.mean())},
            ]
        )
    )
    return 0
