"""`mobilesamv2 compare`: two samplers on one photograph, as a table and as pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .options import Commands, add_model_options, add_request_options, load_segmenter, request_of
from .table import table


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "compare",
        help="grid search and object-aware sampling side by side",
        description="Prints prompts, masks and seconds of both samplers, and writes for each an overlay and "
        "a picture of its prompts, and comparison.json. Any two samplers and budgets can be compared.",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="where the pictures go")
    for side, default in (("first", "grid"), ("second", "object-aware")):
        parser.add_argument(
            f"--{side}",
            default=default,
            metavar="SAMPLER[:N]",
            help=f"the {side} of the two: grid:16 (16 x 16 points), object-aware:64 (64 boxes at most) or a sampler "
            "with the number below (default: %(default)s)",
        )
    add_request_options(parser, sampler=False)
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the samplers; see `add_parser`."""
    from ..comparison.compare import Comparison, compare
    from ..comparison.report import verdict
    from ..export import write_comparison
    from ..images import read_image

    first, second = (request_of(options, text) for text in (options.first, options.second))
    read = read_image(options.photo)
    found: Comparison = compare(load_segmenter(options), read, first, second)
    write_comparison(options.output, read.picture, found, file_name=options.photo.name)
    print(f"{options.photo}: {found.first.model} on {found.first.device}, seconds per stage")
    print(table([_row(record) for record in found.records()]))
    print(f"{verdict(*found.statistics)} Both share one encoding.")
    return 0


def _row(record: dict[str, Any]) -> dict[str, object]:
    """What the table tells of a run."""
    columns = ("prompts", "masks_decoded", "duplicates_removed", "masks", "found_alone", "coverage")
    counts = {name: record[name] for name in columns}
    return {
        "sampler": record["name"],
        **counts,
        **record["seconds"],
        "sampling_seconds": record["sampling_seconds"],
    }
