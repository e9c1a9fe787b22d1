"""`mobilesamv2 weights`: what models there are, and their checkpoints: fetch them, check them, convert them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnknownModelError, WeightsError
from .options import Commands
from .table import table

if TYPE_CHECKING:
    from ..zoo import DetectorEntry, ModelEntry, WeightsFile


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "weights",
        help="the models by name; fetch, check and convert their checkpoints",
        description="Checkpoints are looked for in the folder that MOBILESAMV2_WEIGHTS_DIR names, then in the cache "
        "of huggingface_hub (HF_HOME). HF_ENDPOINT names a mirror, HF_TOKEN a token; MOBILESAMV2_OFFLINE=1 forbids "
        "the network.",
    )
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")

    listing = actions.add_parser("list", help="print the models and detectors")
    listing.add_argument("--json", action="store_true", help="every file, for programs")
    listing.set_defaults(run=run_list)

    fetching = actions.add_parser("fetch", help="get checkpoints from the hub and check them")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="models or detectors")
    fetching.add_argument(
        "--renew",
        action="store_true",
        help="take what the hub has now, where it is another file than was fetched before",
    )
    fetching.set_defaults(run=run_fetch)

    verifying = actions.add_parser("verify", help="compare checkpoints on this machine with their hashes")
    verifying.add_argument("names", nargs="*", metavar="NAME", help="models or detectors (default: all that are here)")
    verifying.set_defaults(run=run_verify)

    converting = actions.add_parser("convert", help="write a checkpoint of any form as safetensors")
    converting.add_argument("source", metavar="SOURCE", help="a checkpoint file, or the name of a model")
    converting.add_argument("target", type=Path, metavar="TARGET", help="what to write, ends in .safetensors")
    converting.set_defaults(run=run_convert)


def run_list(options: argparse.Namespace) -> int:
    """Print a table of the models and one of the detectors, or both as JSON."""
    from .. import zoo

    if options.json:
        rows = {
            "models": [
                {**_record(entry), "detector": entry.detector, "files": _files(entry.files)}
                for entry in zoo.MODELS.values()
            ],
            "detectors": [{**_record(entry), "files": _files(entry.files)} for entry in zoo.DETECTORS.values()],
        }
        print(json.dumps(rows, indent=1))
        return 0
    models = [
        {"model": entry.name, **_row(entry.files), "detector": entry.detector, "about": entry.summary}
        for entry in zoo.MODELS.values()
    ]
    detectors = [
        {"detector": entry.name, **_row(entry.files), "about": entry.summary} for entry in zoo.DETECTORS.values()
    ]
    print(table(models))
    print()
    print(table(detectors))
    return 0


def run_fetch(options: argparse.Namespace) -> int:
    """Fetch the files of models and detectors that are not here; check all of them."""
    from .. import weights, zoo

    entries = [_entry(name) for name in options.names]
    for file in _distinct(entries):
        if options.renew and file.repo is not None:
            weights.forget(file)
        fetched = not weights.is_here(file)
        path = weights.find(file)
        print(f"{file.name}: {'fetched' if fetched else 'is here'}, {_checked(file)}, {path}")
    for entry in entries:
        if isinstance(entry, zoo.ModelEntry):
            detector = zoo.find_detector(entry.detector)
            if detector not in entries and weights.missing(detector.files.values()):
                print(f"{entry.name} is used with {detector.name}: `mobilesamv2 weights fetch {detector.name}`")
    return 0


def run_verify(options: argparse.Namespace) -> int:
    """Compare files with their hashes; 1 if one differs, or one that was named is not here."""
    from .. import weights, zoo

    entries = [_entry(name) for name in options.names] or [*zoo.MODELS.values(), *zoo.DETECTORS.values()]
    code = 0
    for file in _distinct(entries):
        path = weights.locate(file)
        if path is None:
            if options.names:
                print(f"mobilesamv2: {file.name} is not on this machine.", file=sys.stderr)
                code = 1
            continue
        try:
            weights.verify(path, file)
        except WeightsError as error:
            print(f"mobilesamv2: {error}", file=sys.stderr)
            code = 1
        else:
            print(f"{file.name}: {_checked(file)}, {path}")
    return code


def run_convert(options: argparse.Namespace) -> int:
    """Write a checkpoint as safetensors."""
    from .. import weights

    source = weights.expanded(options.source)
    files = {"whole": source}
    if not source.exists() and options.source in _names():
        entry = _entry(options.source)
        files = {part: weights.find(file) for part, file in entry.files.items()}
    target = weights.expanded(options.target)
    count = weights.convert(files, target)
    print(f"{target}: {count} tensors, {target.stat().st_size / 1e6:.1f} MB")
    return 0


def _entry(name: str) -> ModelEntry | DetectorEntry:
    """The model or detector of that name.

    Raises:
        UnknownModelError: if there is neither.
    """
    from .. import zoo

    if name in zoo.MODELS:
        return zoo.MODELS[name]
    if name in zoo.DETECTORS:
        return zoo.DETECTORS[name]
    raise UnknownModelError(f'There is no model or detector "{name}". There are: {", ".join(_names())}.')


def _names() -> list[str]:
    from .. import zoo

    return [*zoo.MODELS, *zoo.DETECTORS]


def _distinct(entries: Iterable[ModelEntry | DetectorEntry]) -> Iterator[WeightsFile]:
    """Their files, each once."""
    yield from dict.fromkeys(file for entry in entries for file in entry.files.values())


def _checked(file: WeightsFile) -> str:
    from .. import weights

    return {
        "pinned": "SHA-256 as pinned",
        "learned": "SHA-256 as at the first fetch",
        "unknown": "no SHA-256 is known",
    }[weights.hash_source(file)]


def _row(files: Mapping[str, WeightsFile]) -> dict[str, str]:
    from .. import weights

    here = [weights.is_here(file) for file in files.values()]
    return {
        "checkpoint": " + ".join(file.name for file in files.values()),
        "size": _size(files.values()),
        "here": "yes" if all(here) else "in part" if any(here) else "no",
        "sha-256": " + ".join(dict.fromkeys(weights.hash_source(file) for file in files.values())),
        "licence": " + ".join(dict.fromkeys(file.licence for file in files.values())),
        "from": " + ".join(dict.fromkeys(file.repo or "this package" for file in files.values())),
    }


def _size(files: Iterable[WeightsFile]) -> str:
    files = list(files)
    about = any(file.bytes is None for file in files)
    megabytes = sum(file.bytes or file.about_bytes or 0 for file in files) / 1e6
    return f"{'about ' if about else ''}{megabytes:,.0f} MB"


def _record(entry: ModelEntry | DetectorEntry) -> dict[str, Any]:
    return {"name": entry.name, "about": entry.summary}


def _files(files: Mapping[str, WeightsFile]) -> list[dict[str, Any]]:
    from .. import weights

    return [
        {
            "part": part,
            "filename": file.filename,
            "repo": file.repo,
            "revision": file.revision,
            "bytes": file.bytes,
            "about_bytes": file.about_bytes,
            "sha256": weights.expected_sha256(file),
            "sha256_is": weights.hash_source(file),
            "licence": file.licence,
            "form": file.form.value,
            "path": str(weights.locate(file)) if weights.is_here(file) else None,
        }
        for part, file in files.items()
    ]
