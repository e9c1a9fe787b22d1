"""The command line. Each command has a file; this one chooses among them and turns errors into sentences."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from ..errors import MobileSamError, sentence_of
from . import batch, budget, compare, evaluate, export, segment, serve, weights
from .stopping import stopped_like_ctrl_c

FAILED, INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process if None.

    Returns:
        The exit code: 0 for success, 1 if something failed, 130 after Ctrl-C or SIGTERM. Wrong usage exits with 2.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files may be no text; stderr does so itself
    options = _parser().parse_args(arguments)
    try:
        with stopped_like_ctrl_c():
            code: int = options.run(options)
    except MobileSamError as error:
        print(f"mobilesamv2: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"mobilesamv2: {sentence_of(error)}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("mobilesamv2: stopped.", file=sys.stderr)
        return INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mobilesamv2",
        description="Segment everything in photographs, by a grid of points or by boxes around objects.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (segment, batch, compare, budget, evaluate, export, weights, serve):
        command.add_parser(commands)
    return parser
