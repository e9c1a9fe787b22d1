"""Options that several commands share, and the segmenter they ask for."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ..segmenter import Segmenter

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What `ArgumentParser.add_subparsers` gives; argparse has no public name for it."""


def positive(text: str) -> int:
    """A whole number from 1 on, for `argparse`."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return number


def port(text: str) -> int:
    """A TCP port, for `argparse`."""
    number = positive(text)
    if number > 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535, got {text!r}")
    return number


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_segmenter` reads."""
    group = parser.add_argument_group("model")
    group.add_argument("--model", default="nano", metavar="NAME", help="its name (default: %(default)s)")
    group.add_argument("--weights", metavar="FILE", help="a checkpoint of that model on this machine")
    group.add_argument("--detector", metavar="NAME", help="what finds objects: a name or a checkpoint file")
    group.add_argument("--device", help='"cpu", "cuda" or "cuda:1" (default: a GPU where there is one)')


def load_segmenter(options: argparse.Namespace) -> Segmenter:
    """The segmenter that the options of `add_model_options` describe.

    A model that is not on this machine and cannot be fetched is a sentence on stderr and the embedded model instead,
    so that people without a network get their masks. Results name the model that made them.

    Raises:
        MobileSamError: if there is no such model, checkpoint or device.
    """
    import mobilesamv2
    from mobilesamv2.zoo import DEFAULT_MODEL

    def load(name: str) -> Segmenter:
        return mobilesamv2.load(
            name, weights=options.weights, detector=options.detector, device=options.device
        )

    try:
        return load(options.model)
    except mobilesamv2.WeightsUnreachableError as error:
        if options.weights is not None:
            raise
        print(f"mobilesamv2: {error} Going on with {DEFAULT_MODEL}.", file=sys.stderr)
        return load(DEFAULT_MODEL)


def sentence_of(error: OSError) -> str:
    """What the system says went wrong, and with which file."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}." if error.filename else f"{reason}."
