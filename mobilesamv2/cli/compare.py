"""`mobilesamv2 compare`: two samplers on one photograph, as a table and as pictures."""

from __future__ import annotations

import argparse
from pathlib import Path

from .options import Commands, add_model_options, load_segmenter, positive
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
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="where the pictures go"
    )
    parser.add_argument(
        "--max-prompts",
        type=positive,
        default=320,
        metavar="K",
        help="boxes at most for object-aware sampling (default: %(default)s)",
    )
    parser.add_argument(
        "--points-per-side", type=positive, default=32, metavar="N", help="of the grid (default: %(default)s)"
    )
    for side, default in (("first", "grid"), ("second", "object-aware")):
        parser.add_argument(
            f"--{side}",
            default=default,
            metavar="SAMPLER[:N]",
            help=f"the {side} of the two: grid:16 (16 x 16 points), object-aware:64 (64 boxes at most) or a sampler "
            "with the number above (default: %(default)s)",
        )
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the samplers; see `add_parser`."""
    from ..comparison.compare import SamplerSpec, compare_specs
    from ..comparison.report import verdict
    from ..export import write_comparison
    from ..images import load_image

    first, second = (
        SamplerSpec.parse(text, max_prompts=options.max_prompts, points_per_side=options.points_per_side)
        for text in (options.first, options.second)
    )
    picture = load_image(options.photo)
    found = compare_specs(load_segmenter(options), picture, (first, second))
    write_comparison(options.output, picture, found, file_name=options.photo.name)
    print(f"{options.photo}: {found.first.model} on {found.first.device}, seconds per stage")
    print(table(found.rows()))
    print(f"{verdict(*found.statistics)} Both share one encoding.")
    return 0
