"""`mobilesamv2 budget`: what more prompts bring on one photograph, as a table."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..sampler_kinds import SAMPLERS, chosen_samplers
from .options import Commands, add_model_options, load_segmenter, positive
from .table import table


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "budget",
        help="masks, coverage and decoder seconds against the number of prompts",
        description="Prints, for 16 prompts, 32, 64 and so on, the masks that each sampler keeps, the share of the "
        "photograph they cover and the seconds the decoder takes. One encoding serves all.",
    )
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument(
        "--largest", type=positive, default=1024, metavar="K", help="where to stop (default: %(default)s)"
    )
    parser.add_argument(
        "--samplers",
        default="object-aware,grid",
        metavar="NAME,...",
        help=f"which, of {', '.join(SAMPLERS)}, or all (default: %(default)s)",
    )
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure the curves; see `add_parser`."""
    from ..comparison.budget import budget_curves, budgets_up_to
    from ..comparison.report import budget_verdict
    from ..images import load_image

    samplers, picture = chosen_samplers(options.samplers), load_image(options.photo)
    curves = budget_curves(load_segmenter(options), picture, samplers=samplers, budgets=budgets_up_to(options.largest))
    print(f"{options.photo}: {curves.model} on {curves.device}")
    print(table([vars(point) for point in curves.points]))
    print(budget_verdict(curves))
    return 0
