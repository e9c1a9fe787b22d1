"""`mobilesamv2 weights`: what models there are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
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
            **_file(entry.files),
            "detector": entry.detector,
            "about": entry.summary,
        }
        for entry in zoo.MODELS.values()
    ]
    detectors = [
        {"detector": entry.name, **_file(entry.files), "about": entry.summary}
        for entry in zoo.DETECTORS.values()
    ]
    print(table(models))
    print()
    print(table(detectors))
    return 0


def _file(files: Mapping[str, WeightsFile]) -> dict[str, str]:
    sizes = [file.bytes or file.about_bytes for file in files.values()]
    return {
        "checkpoint": ", ".join(file.name for file in files.values()),
        "size": "" if None in sizes else f"{sum(size or 0 for size in sizes) / 1e6:.0f} MB",
        "from": ", ".join(dict.fromkeys(file.repo or "this package" for file in files.values())),
        "licence": ", ".join(dict.fromkeys(file.licence for file in files.values())),
    }
