"""`mobilesamv2 compare`: both samplers on one photograph, as a table and as pictures."""

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
        "a picture of its prompts, and comparison.json.",
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
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare the samplers; see `add_parser`."""
    from ..comparison import compare
    from ..export import write_comparison
    from ..images import load_image

    picture = load_image(options.photo)
    comparison = compare(
        load_segmenter(options),
        picture,
        max_prompts=options.max_prompts,
        points_per_side=options.points_per_side,
    )
    write_comparison(options.output, picture, comparison, file_name=options.photo.name)
    print(f"{options.photo}: {comparison.grid.model} on {comparison.grid.device}, seconds per stage")
    print(table(comparison.rows()))
    print(
        f"Both share one encoding; without it, object-aware sampling is {comparison.speedup:.1f} x as fast."
    )
    return 0
