"""`mobilesamv2 batch`: any number of pictures, by many workers, on Ray Data."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import MobileSamError
from ..formatting import count, number
from .options import Commands, Loader, add_model_options, add_request_options, positive, request_of

if TYPE_CHECKING:
    from ..batch.run import Plan, Tally
    from ..batch.worker import Work

_EVERY_SECONDS = 10.0
"""A line of progress in a log, where there is no terminal."""
_ERRORS_SHOWN = 20


def add_parser(commands: Commands) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "batch",
        help="segment millions of pictures with many workers",
        description="Writes Parquet files with a row for each picture, by one worker for each GPU or core of this "
        "machine or of a Ray cluster. The same command goes on where a run ended. The exit code is 1 if a picture "
        'failed; the others are done all the same. Needs the extra "batch".',
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SRC",
        help="folders (with all folders in them), patterns such as 'a/**/*.jpg', text files with a picture in each "
        "line (.txt), addresses such as s3://bucket/folder",
    )
    parser.add_argument("-o", "--output", required=True, metavar="DST", help="folder or address of the results")
    parser.add_argument("--label-maps", action="store_true", help="write a label map of each picture too")
    parser.add_argument("--retry-errors", action="store_true", help="also try again what failed in an earlier run")
    spread = parser.add_argument_group("workers")
    spread.add_argument("--address", help='of a Ray cluster, or "auto" on one of its machines (default: this machine)')
    spread.add_argument(
        "--workers", type=positive, metavar="N", help="how many (default: one for each GPU, or for each core)"
    )
    spread.add_argument(
        "--part-size",
        type=positive,
        metavar="N",
        help="pictures of a Parquet file at most; a worker that dies has begun so many in vain (64)",
    )
    add_request_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Segment the pictures; see `add_parser`."""
    from ..batch.run import run_batch

    plan, work = _plan_of(options)
    print("Listing the pictures, and what is done of them.", file=sys.stderr, flush=True)
    updates = run_batch(plan, work)
    tally, _ = next(updates)
    before = f"; {count(tally.done_before, 'picture')} done before" if tally.done_before else ""
    print(f"{options.model}, {work.request}: {count(tally.total, 'picture')}{before}", flush=True)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Ray prints that a worker died
            _show(updates, tally)
    finally:
        updates.close()
        print(summary_of(tally, plan.output), flush=True)
    return 1 if tally.errors + tally.errors_before else 0


def _plan_of(options: argparse.Namespace) -> tuple[Plan, Work]:
    from .. import zoo
    from ..batch.run import PART_SIZE, Plan
    from ..batch.worker import Work

    if options.device not in (None, "cpu", "cuda"):
        raise MobileSamError(
            f'Each worker is given a GPU of its own: --device is "cpu" or "cuda"; got {options.device!r}.'
        )
    entry = zoo.find_model(options.model)
    request = request_of(options)
    # Workers may run in another folder.
    files = {name: _from_the_root(getattr(options, name)) for name in ("weights", "decoder_weights", "detector")}
    loader = Loader(argparse.Namespace(**{**vars(options), **files}))
    about: dict[str, Any] = {
        "model": options.model,
        **files,
        "detector": files["detector"] or entry.detector,
        "request": request.to_record(),
        "label_maps": options.label_maps,
    }
    plan = Plan(
        sources=tuple(options.sources),
        output=options.output,
        about=about,
        address=options.address,
        workers=options.workers,
        use_gpus=None if options.device is None else options.device == "cuda",
        part_size=options.part_size or PART_SIZE,
        retry_errors=options.retry_errors,
    )
    return plan, Work(make_segmenter=loader, request=request, label_maps=options.label_maps)


def _from_the_root(name: str | None) -> str | None:
    return os.path.abspath(name) if name and os.path.exists(name) else name


def _show(updates: Iterator[tuple[Tally, Any]], tally: Tally) -> None:
    """Show progress and errors while the run goes on: a bar on a terminal, a line now and then in a log."""
    from tqdm import tqdm

    is_log = not sys.stderr.isatty()
    shown, last = 0, time.perf_counter()
    with tqdm(total=tally.total, unit="picture", file=sys.stderr, disable=is_log, smoothing=0) as bar:
        for _, errors in updates:
            for name, reason in errors[: _ERRORS_SHOWN - shown]:
                tqdm.write(f"mobilesamv2: {name}: {reason}", file=sys.stderr)
                shown += 1
                if shown == _ERRORS_SHOWN:
                    tqdm.write("mobilesamv2: further errors are in the results.", file=sys.stderr)
            bar.update(tally.done - bar.n)
            bar.set_postfix_str(count(tally.errors, "error"))
            if is_log and (time.perf_counter() - last >= _EVERY_SECONDS or tally.done == tally.total):
                last = time.perf_counter()
                print(progress_of(tally), file=sys.stderr, flush=True)


def progress_of(tally: Tally) -> str:
    """How far a run is: "1,280 of 100,000 pictures, 12.3 per second, 2:13:45 left, 3 errors"."""
    left = "" if tally.seconds_left is None else f", {_clock(tally.seconds_left)} left"
    return (
        f"{number(tally.done)} of {count(tally.total, 'picture')}, {tally.rate:.1f} per second{left}, "
        f"{count(tally.errors, 'error')}"
    )


def summary_of(tally: Tally, output: str) -> str:
    """What a run did, in a sentence or two."""
    ended = "" if tally.is_complete else "Stopped; the same command goes on. "
    before = f", {number(tally.done_before)} before" if tally.done_before else ""
    return (
        f"{ended}{count(tally.done, 'picture')} in {_clock(tally.seconds)} ({tally.rate:.1f} per second){before}; "
        f"{count(tally.errors + tally.errors_before, 'error')}; results in {output}"
    )


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}"
