"""`mobilesamv2 weights`: what models there are."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .options import Commands
from .table import table

if TYPE_CHECKING:
    from ..zoo import WeightsFile


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("weights", help="the models by name, and where their checkpoints come from")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="print the models and detectors")
    listing.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print a table of the models and one of the detectors."""
    from .. import zoo

    models = [
        {
            "model": entry.name,
            **_file(entry.weights),
            "detector": entry.detector,
            "about": entry.summary,
        }
        for entry in zoo.MODELS.values()
    ]
    detectors = [
        {"detector": entry.name, **_file(entry.weights), "about": entry.summary}
        for entry in zoo.DETECTORS.values()
    ]
    print(table(models))
    print()
    print(table(detectors))
    return 0


def _file(weights: WeightsFile) -> dict[str, str]:
    return {
        "checkpoint": weights.filename,
        "size": "" if weights.bytes is None else f"{weights.bytes / 1e6:.0f} MB",
        "from": weights.repo or "this package",
        "licence": weights.licence,
    }
