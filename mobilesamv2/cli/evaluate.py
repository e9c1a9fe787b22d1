"""`mobilesamv2 evaluate`: how much of what is labelled is found, and how well true boxes and points are answered."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MobileSamError, WeightsError
from .options import Commands, add_model_options, add_request_options, load_segmenter, positive, request_from
from .table import table

if TYPE_CHECKING:
    from ..evaluate.datasets import Dataset
    from ..evaluate.run import Record
    from ..request import Request
    from ..segmenter import Segmenter


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="measure masks on annotated photographs",
        description="Average recall of masks and boxes, without classes, as COCO defines it, of segmenting everything "
        "in annotated photographs. A run that was stopped goes on by the same command.",
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
    parser.add_argument("--workers", type=positive, default=1, metavar="N", help="processes (default: %(default)s)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="SAMPLER",
        help='another way, such as "grid:16" or "object-aware:64"; may be given often, and shares the encoding',
    )
    what.add_argument("--preset", metavar="NAME", help="a table of the paper: table2, table3, table4, table5 or table7")
    what.add_argument(
        "--prompted", action="store_true", help="instead the mean IoU of answers to true boxes and to true points"
    )
    parser.add_argument(
        "--longest-side", type=positive, metavar="PIXELS", help="with --prompted: resize every picture to this first"
    )
    add_request_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure a model; see `add_parser`."""
    from ..evaluate.datasets import Dataset, read_dataset

    dataset = read_dataset(
        options.data, annotations=options.annotations, images=options.images, split=options.split
    )
    dataset = Dataset(dataset.photographs[: options.limit], dataset.is_federated)
    if options.prompted:
        return _prompted(options, dataset)
    if options.preset:
        return _preset(options, dataset)
    requests = (request_from(options), *_others(options.also))
    results = _measure(options, dataset, requests, output=options.output)
    print(f"{results['model']} on {results['pictures']} pictures")
    print(table([_line(row) for row in results["rows"]]))
    return 0


@dataclass(frozen=True)
class _Loader:
    """Loads the model that the command line names; can be sent to another process."""

    options: argparse.Namespace

    def __call__(self) -> Segmenter:
        return load_segmenter(self.options)


def _measure(
    options: argparse.Namespace, dataset: Dataset, requests: tuple[Request, ...], *, output: Path | None
) -> Record:
    from ..evaluate.run import Plan, evaluate
    from ..export.files import write_json

    loaded = functools.cache(_Loader(options))
    segmenter = loaded()
    plan = Plan(
        make_segmenter=loaded if options.workers == 1 else _Loader(options),
        model=f"{segmenter.name} + {options.detector or 'its own detector'}",
        requests=requests,
    )
    progress_file = None if output is None else output.with_name(output.name + ".pictures.jsonl")
    with _bar(len(dataset.photographs)) as bar:
        results = evaluate(
            plan,
            dataset,
            progress_file=progress_file,
            workers=options.workers,
            on_picture=lambda done, of: bar.update(done - bar.n),
        )
    if output is not None and progress_file is not None:
        write_json(output, results)
        progress_file.unlink(missing_ok=True)
    return results


def _others(texts: list[str]) -> tuple[Request, ...]:
    from ..request import Request

    return tuple(Request.parse(text) for text in texts)


def _line(row: Record) -> dict[str, object]:
    recalls = {f"AR@{k}": _number(value) for k, value in row["mask_ar"].items()}
    sizes = {name: _number(row["mask_ar_by_group"][name]["1000"]) for name in ("small", "medium", "large")}
    return {
        "sampler": row["sampler"],
        "prompts": round(row["prompts"], 1),
        "masks": round(row["masks"], 1),
        **recalls,
        **sizes,
        "box_AR@100": _number(row["box_ar"]["100"]),
        "best_IoU": _number(row["mean_best_iou"]),
        "coverage": _number(row["coverage"]),
        "seconds": round(sum(row["seconds"].values()), 2),
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _preset(options: argparse.Namespace, dataset: Dataset) -> int:
    """Print a table of the paper: our values beside its own. What cannot be run says why."""
    from ..evaluate.presets import DIFFERS, PAPER, PRESETS, table_rows

    preset = PRESETS.get(options.preset)
    if preset is None:
        raise MobileSamError(f"There is no preset {options.preset!r}; choose one of {', '.join(PRESETS)}.")
    measured: dict[int, Record | str] = {}
    models = dict.fromkeys(row.model or options.model for row in preset.rows)
    for model in models:
        rows = [index for index, row in enumerate(preset.rows) if (row.model or options.model) == model]
        chosen = argparse.Namespace(**{**vars(options), "model": model, "strict": True})
        output = options.output and options.output.with_name(f"{options.output.stem}-{model}.json")
        try:
            requests = tuple(preset.rows[index].request for index in rows)
            results = _measure(chosen, dataset, requests, output=output)
            measured |= dict(zip(rows, results["rows"], strict=True))
        except WeightsError as error:
            measured |= dict.fromkeys(rows, f"{model} was not run: {error}")
    in_order = [measured[index] for index in range(len(preset.rows))]
    print(f"{preset.title} ({PAPER})")
    print(table(table_rows(preset, in_order)))
    for sentence in dict.fromkeys([*(each for each in in_order if isinstance(each, str)), preset.differs, DIFFERS]):
        if sentence:
            print(sentence)
    return 0


def _prompted(options: argparse.Namespace, dataset: Dataset) -> int:
    from ..evaluate.prompted import prompted_iou

    segmenter = load_segmenter(options)
    with _bar(len(dataset.photographs)) as bar:
        found = prompted_iou(segmenter, bar.of(dataset.photographs), longest_side=options.longest_side)
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
