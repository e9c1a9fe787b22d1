"""`mobilesamv2 evaluate`: how good a model's masks are on annotated photographs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .options import Commands, add_model_options, load_segmenter, positive
from .table import table

if TYPE_CHECKING:
    from ..evaluate.datasets import Annotated


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "evaluate",
        help="measure masks on annotated photographs",
        description="Prints the mean IoU of the masks that true boxes and points give, beside that of the "
        "ellipse and of the box itself, which need no model; with --recall also average recall of both samplers, "
        "beside boxes that no model looked into.",
    )
    parser.add_argument(
        "--data", required=True, type=Path, metavar="FILE", help="annotations in COCO's format"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="the photographs (default: images/ beside FILE)"
    )
    parser.add_argument(
        "--split", default="val", help='the pictures marked so in FILE; "all" for every one (%(default)s)'
    )
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N pictures")
    parser.add_argument(
        "--longest-side",
        type=positive,
        metavar="PIXELS",
        help="resize every picture to this before the model sees it, to find out whether size matters",
    )
    parser.add_argument(
        "--recall",
        action="store_true",
        help="also AR@10, @100 and @320 of both samplers at several budgets, on pictures as they are; takes long",
    )
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure a model; see `add_parser`."""
    from ..evaluate.datasets import read_coco
    from ..evaluate.everything import everything_table
    from ..evaluate.prompted import prompted_iou

    split = None if options.split == "all" else options.split
    photographs = read_coco(options.data, images=options.images, split=split)[: options.limit]
    segmenter = load_segmenter(options)
    found = prompted_iou(segmenter, _with_bar(photographs, "prompted"), longest_side=options.longest_side)
    name = segmenter.name
    print(f"{name} on {segmenter.device_description}: {len(found)} objects in {len(photographs)} pictures")
    rows: list[dict[str, object]] = [
        {"mask": f"{name}, true box", "mean_iou": float(found.box.mean())},
        {"mask": f"{name}, true point, best of three", "mean_iou": float(found.point.mean())},
        {"mask": "ellipse filled into the box", "mean_iou": float(found.filled_ellipse.mean())},
        {"mask": "the filled box", "mean_iou": float(found.filled_box.mean())},
    ]
    print(table(rows))
    if options.recall:
        print()
        print(table(everything_table(segmenter, _with_bar(photographs, "everything"))))
    return 0


def _with_bar(photographs: Sequence[Annotated], what: str) -> Sequence[Annotated]:
    from tqdm import tqdm

    bar: Sequence[Annotated] = tqdm(photographs, desc=what, unit="photo", file=sys.stderr, disable=None)
    return bar
