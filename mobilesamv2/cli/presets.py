"""`mobilesamv2 evaluate --preset`: the paper's tables on one's own data, with the paper's values beside ours."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PromptError
from .options import given_weights, request_of
from .table import table

if TYPE_CHECKING:
    from ..evaluate.datasets import Dataset
    from ..evaluate.run import Record

NAMES = ("table2", "table3", "table4", "table5", "table7")
"""Keys of `evaluate.presets.PRESETS`, here to be known without loading the library."""


def add_preset_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `run_presets` reads beside those of `evaluate`."""
    group = parser.add_argument_group("tables of the paper")
    group.add_argument(
        "--preset",
        nargs="+",
        choices=NAMES,
        metavar="TABLE",
        help=f"instead the settings of a table of MobileSAMv2's paper, beside its values: {', '.join(NAMES)}; "
        "several share what they ask. Nothing is fetched",
    )
    group.add_argument(
        "--leave-out", nargs="+", default=[], metavar="TEXT", help="not the settings whose names hold it: 64"
    )


def run_presets(options: argparse.Namespace, dataset: Dataset) -> int:
    """Measure and print the presets that the options name.

    Raises:
        PromptError: if options say what is asked, which a preset does by itself.
    """
    from tqdm import tqdm

    from ..evaluate.preset_run import ModelChoice, run_presets
    from ..evaluate.presets import PRESETS
    from ..export import json_bytes, write_file
    from ..request import Request

    if not options.preset:
        raise PromptError("--leave-out goes with --preset.")
    if options.prompted or options.also or request_of(options) != Request():
        raise PromptError("--preset brings its own settings; leave out the options that say what is asked.")
    output: Path | None = options.output
    progress_files: list[Path] = []

    def progress_file(model: str) -> Path | None:
        if output is None:
            return None
        progress_files.append(output.with_name(f"{output.name}.{model}.pictures.jsonl"))
        return progress_files[-1]

    with tqdm(total=len(dataset.photographs), unit="photo", file=sys.stderr, disable=None) as bar:

        def on_picture(model: str, done: int) -> None:
            bar.set_description_str(model, refresh=False)
            bar.update(done - bar.n)

        records = run_presets(
            [PRESETS[name] for name in options.preset],
            dataset,
            ModelChoice(options.model, given_weights(options), options.detector, options.device),
            left_out=options.leave_out,
            data_name=_name(options),
            progress_file=progress_file,
            workers=options.workers,
            on_picture=on_picture,
        )
    if output is not None:
        write_file(output, json_bytes({"presets": dict(zip(options.preset, records, strict=True))}))
        for file in progress_files:
            file.unlink(missing_ok=True)
    print("\n\n".join(_text(record) for record in records))
    return 0


def _name(options: argparse.Namespace) -> str:
    """What the data are called, without the folders of this machine."""
    name: str = options.data.resolve().name
    return name if options.split is None else f"{name}, split {options.split}"


def _text(record: Record) -> str:
    """A table with a column of the paper's beside each of ours, and what differs between the two."""
    protocol = record["protocol"]
    lines = [record["title"], table([_line(record, row) for row in record["rows"]])]
    lines += [f"{row['setting']}: {row['not_run']}." for row in record["rows"] if row["not_run"]]
    lines += [f"{what}: paper {protocol['paper'][what]}; here {protocol['here'][what]}." for what in protocol["here"]]
    return "\n".join(lines + protocol["remarks"])


def _line(record: Record, row: Record) -> dict[str, object]:
    line: dict[str, object] = {"setting": row["setting"]}
    if len({each["model"] for each in record["rows"]}) > 1:
        line["model"] = row["model"]
    line["prompts"] = _number(row["prompts"])
    for metric in record["metrics"]:
        line[metric] = _number((row["ours"] or {}).get(metric))
        line["paper".ljust(len(line) + 1)] = _number(row["paper"].get(metric))
    return line


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
