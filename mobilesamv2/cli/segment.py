"""`mobilesamv2 segment`: masks of everything in any number of photographs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidImageError
from .options import Commands, add_model_options, load_segmenter, positive, sentence_of
from .photos import Photo, find_photos

if TYPE_CHECKING:
    from ..segmenter import Segmenter


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "segment",
        help="find masks of everything in photographs",
        description="Writes a folder for each photograph (masks.json, overlay.png, label_map.png) and one "
        "summary.json. The exit code is 1 if a photograph failed; the others are done all the same.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photographs, folders of them")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="where the results go"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="search folders within folders too")
    parser.add_argument(
        "--sampler", default="object-aware", metavar="NAME", help="object-aware (the default) or grid"
    )
    parser.add_argument("--max-prompts", type=positive, metavar="K", help="ask at most so many (320)")
    parser.add_argument("--points-per-side", type=positive, metavar="N", help="of the grid (32)")
    parser.add_argument(
        "--export",
        type=_formats,
        default=(),
        metavar="FORMAT,...",
        help="write these too: coco, label-map (with a legend), masks, cutouts, overlay, or all",
    )
    add_model_options(parser)
    parser.set_defaults(run=run)


def _formats(text: str) -> tuple[str, ...]:
    """Names of formats, for `argparse`."""
    from ..export import chosen_formats

    try:
        return chosen_formats(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Segment the photographs; see `add_parser`."""
    from ..export import write_summary

    photos, missing = find_photos(options.photos, recursive=options.recursive, output=options.output)
    for _, sentence in missing:
        print(f"mobilesamv2: {sentence}", file=sys.stderr)
    failures = [{"photo": str(path), "error": sentence} for path, sentence in missing]
    records: list[dict[str, Any]] = []
    options.output.mkdir(parents=True, exist_ok=True)
    try:
        if photos:
            _segment_all(load_segmenter(options), photos, options, records, failures)
    finally:
        # Also after Ctrl-C: what is done is done.
        write_summary(options.output, photos=records, failures=failures)
    return 1 if failures else 0


def _segment_all(
    segmenter: Segmenter,
    photos: list[Photo],
    options: argparse.Namespace,
    records: list[dict[str, Any]],
    failures: list[dict[str, str]],
) -> None:
    import torch
    from tqdm import tqdm

    print(f"{segmenter.name}, {options.sampler}, on {segmenter.device_description}")
    with tqdm(photos, unit="photo", file=sys.stderr, disable=None) as bar:  # None: only on a terminal
        for photo in bar:
            bar.set_postfix_str(photo.name)
            try:
                record = _segment_one(segmenter, photo, options)
            except (InvalidImageError, OSError, MemoryError, torch.OutOfMemoryError) as error:
                failures.append({"photo": str(photo.path), "error": _sentence(error)})
                tqdm.write(f"mobilesamv2: {photo.path}: {failures[-1]['error']}", file=sys.stderr)
                continue
            records.append(record)
            tqdm.write(
                f"{photo.name}: {record['masks']} masks of {record['prompts']} prompts "
                f"in {record['seconds_in_all']:.2f} s{_hint(record)}",
                file=sys.stdout,
            )


def _segment_one(segmenter: Segmenter, photo: Photo, options: argparse.Namespace) -> dict[str, Any]:
    from ..export import result_record, write_result
    from ..images import load_image

    picture = load_image(photo.path)
    result = segmenter.segment_everything(
        picture,
        sampler=options.sampler,
        max_prompts=options.max_prompts,
        points_per_side=options.points_per_side,
    )
    folder = options.output / photo.name
    write_result(folder, picture, result, file_name=photo.path.name, formats=options.export)
    height, width = result.masks.size_hw
    return {
        "photo": str(photo.path),
        "folder": photo.name,
        "width": width,
        "height": height,
        **result_record(result),
    }


def _hint(record: dict[str, Any]) -> str:
    """What to try where there is no mask."""
    if record["masks"]:
        return ""
    if record["prompts"]:
        return "; no mask passed the filters, try more prompts or the other sampler"
    return "; no objects found, try --sampler grid, which needs none"


def _sentence(error: Exception) -> str:
    if isinstance(error, InvalidImageError):
        return str(error)
    if isinstance(error, OSError):
        return sentence_of(error)
    return "There is not enough memory for it; make it smaller."
