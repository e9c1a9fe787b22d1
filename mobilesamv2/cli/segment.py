"""`mobilesamv2 segment`: masks of everything in any number of photographs."""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InvalidImageError, sentence_of
from ..formatting import count
from .options import (
    Commands,
    add_model_options,
    add_request_options,
    load_segmenter,
    positive,
    request_of,
)
from .photos import Photo, find_photos
from .stopping import HeldStops

if TYPE_CHECKING:
    from ..geometry import Tiles
    from ..images import ReadImage
    from ..request import Request
    from ..results import SegmentationResult
    from ..segmenter import Segmenter


_IN_ITS_FILE_ALONE = ("made_with", "prompt_list", "annotations")
"""Keys of `masks.json` that the record in `summary.json` has not."""


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "segment",
        help="find masks of everything in photographs",
        description="Writes a folder for each photograph (masks.json, overlay.png, label_map.png) and one "
        "summary.json, on request data sets for other programs. The exit code is 1 if a photograph failed; the others "
        "are done all the same.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photographs, folders of them")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="where the results go")
    parser.add_argument("-r", "--recursive", action="store_true", help="search folders within folders too")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out photographs whose results are there and asked the same",
    )
    parser.add_argument(
        "--export",
        type=_formats,
        default=(),
        metavar="FORMAT,...",
        help="write these too, for each photograph: label-map (with a legend), masks, cutouts, overlay, uncovered "
        "(what no mask covers), any of --dataset, or all",
    )
    parser.add_argument(
        "--dataset",
        type=functools.partial(_formats, of_data_sets=True),
        default=(),
        metavar="FORMAT,...",
        help="write one data set of all photographs: coco, coco-polygons, panoptic, yolo, labelme, label-studio, cvat, "
        "or all",
    )
    parser.add_argument(
        "--coco",
        action="store_true",
        help="write coco.json, one COCO data set of all photographs: --dataset coco",
    )
    parser.add_argument(
        "--tiles",
        type=positive,
        nargs="?",
        const=0,
        metavar="SIDE",
        help="for very large photographs: look at overlapping windows of SIDE pixels too (1024) and join "
        "the masks; what is asked is asked of each window",
    )
    add_request_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run)


def _formats(text: str, *, of_data_sets: bool = False) -> tuple[str, ...]:
    """Names of formats, or of those that are data sets, for `argparse`."""
    from ..export import DATASETS, FORMATS, chosen_formats

    try:
        return chosen_formats(text, of=DATASETS if of_data_sets else FORMATS)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(options: argparse.Namespace) -> int:
    """Segment the photographs; see `add_parser`."""
    records: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    with HeldStops() as stops:
        from ..export import SUMMARY_NAME, write_datasets, write_summary
        from ..geometry import Tiles

        request = request_of(options)
        tiles = None if options.tiles is None else Tiles(options.tiles) if options.tiles else Tiles()
        options.output.mkdir(parents=True, exist_ok=True)
        # The run before's would speak for this one, if it is killed or the disk is full.
        (options.output / SUMMARY_NAME).unlink(missing_ok=True)
        try:
            stops.let_through()
            _segment_all(options, request, tiles, records, failures)
        finally:
            # Also after Ctrl-C and SIGTERM: what is done is done.
            stops.hold()
            write_summary(options.output, photos=records, failures=failures)
            stops.let_through()
            wanted = (*options.dataset, *(["coco"] if options.coco else []))
            if wanted and records:
                folders, info = [record["folder"] for record in records], {"model": records[0]["model"]}
                write_datasets(options.output, folders, formats=wanted, info=info)
    return 1 if failures else 0


def _segment_all(
    options: argparse.Namespace,
    request: Request,
    tiles: Tiles | None,
    records: list[dict[str, Any]],
    failures: list[dict[str, str]],
) -> None:
    photos, missing = find_photos(options.photos, recursive=options.recursive, output=options.output)
    for path, sentence in missing:
        print(f"mobilesamv2: {sentence}", file=sys.stderr)
        failures.append({"photo": str(path), "error": sentence})
    if options.resume:
        done = {photo: record for photo in photos if (record := _done(photo, options, request, tiles)) is not None}
        records += done.values()
        photos = [photo for photo in photos if photo not in done]
        print(f"{count(len(done), 'photo')} done before.")
    if photos:
        _segment_each(load_segmenter(options), photos, options, request, tiles, records, failures)


def _segment_each(
    segmenter: Segmenter,
    photos: list[Photo],
    options: argparse.Namespace,
    request: Request,
    tiles: Tiles | None,
    records: list[dict[str, Any]],
    failures: list[dict[str, str]],
) -> None:
    import torch
    from tqdm import tqdm

    print(f"{segmenter.name}, {request}, on {segmenter.device_description}")
    with tqdm(photos, unit="photo", file=sys.stderr, disable=None) as bar:  # None: only on a terminal
        for photo in bar:
            bar.set_postfix_str(photo.name)
            started = time.perf_counter()
            try:
                record = _segment_one(segmenter, photo, options, request, tiles, told=bar.set_postfix_str)
            except (InvalidImageError, OSError, MemoryError, torch.OutOfMemoryError) as error:
                failures.append({"photo": str(photo.path), "error": sentence_of(error)})
                tqdm.write(f"mobilesamv2: {photo.path}: {failures[-1]['error']}", file=sys.stderr)
                continue
            records.append(record)
            tqdm.write(
                f"{photo.name}: {record['masks']} masks of {record['prompts']} prompts "
                f"in {time.perf_counter() - started:.2f} s{_hint(record)}",
                file=sys.stdout,
            )


def _segment_one(
    segmenter: Segmenter,
    photo: Photo,
    options: argparse.Namespace,
    request: Request,
    tiles: Tiles | None,
    *,
    told: Callable[[str], None],
) -> dict[str, Any]:
    from ..export import write_result
    from ..images import read_image

    read = read_image(photo.path)
    if tiles is None:
        result = segmenter.segment_everything(read, request=request)
    else:
        result = _in_tiles(segmenter, read, request, tiles, told=lambda said: told(f"{photo.name}, {said}"))
    folder = options.output / photo.name
    write_result(
        folder,
        read.picture,
        result,
        file_name=photo.file_name,
        formats=options.export,
        made_with=_made_with(options),
    )
    return _of_photo(photo, result.to_record())


def _in_tiles(
    segmenter: Segmenter, read: ReadImage, request: Request, tiles: Tiles, *, told: Callable[[str], None]
) -> SegmentationResult:
    """The result of all windows, telling which one is at work."""
    from ..tiles import tile_steps

    steps = tile_steps(segmenter, read, request, tiles=tiles)
    while True:
        try:
            item = next(steps)
        except StopIteration as stop:
            result: SegmentationResult = stop.value
            return result
        if item.stage == "tiles":
            told(f"window {item.done + 1} of {item.total}")


def _made_with(options: argparse.Namespace) -> dict[str, Any]:
    """What decides on the results of a photograph beside the model's name and the request."""
    return {
        "detector": options.detector,
        "weights": options.weights,
        "decoder_weights": options.decoder_weights,
        "formats": sorted(options.export),
    }


def _of_photo(photo: Photo, record: dict[str, Any]) -> dict[str, Any]:
    return {"photo": str(photo.path), "folder": photo.name, **record}


def _done(photo: Photo, options: argparse.Namespace, request: Request, tiles: Tiles | None) -> dict[str, Any] | None:
    """The record of a photograph that was segmented before, as is asked now, and is the same since; else None."""
    from ..export import MASKS_NAME

    path = options.output / photo.name / MASKS_NAME
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if path.stat().st_mtime < photo.path.stat().st_mtime or kept["made_with"] != _made_with(options):
            return None
        same = kept["image"].pop("file_name") == photo.file_name and kept["model"] == options.model
        side = None if kept["tiles"] is None else kept["tiles"]["side"]
        same = same and side == (None if tiles is None else tiles.side)
        if same and kept["request"] == request.to_record():
            return _of_photo(photo, {k: v for k, v in kept.items() if k not in _IN_ITS_FILE_ALONE})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # not there, or not ours
    return None


def _hint(record: dict[str, Any]) -> str:
    """What to try where there is no mask."""
    if record["masks"]:
        return ""
    if record["prompts"]:
        return "; no mask passed the filters, try more prompts or another sampler"
    return "; no objects found, try --sampler grid, which needs none"
