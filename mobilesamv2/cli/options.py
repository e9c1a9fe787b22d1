"""Options that several commands share, and the segmenter they ask for."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ..errors import WeightsError
from ..sampler_kinds import SAMPLERS

if TYPE_CHECKING:
    from ..request import Request
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
    group.add_argument(
        "--decoder-weights",
        metavar="FILE",
        help="its decoder's checkpoint, where --weights is the image encoder's alone",
    )
    group.add_argument("--detector", metavar="NAME", help="what finds objects: a name or a checkpoint file")
    group.add_argument("--device", help='"cpu", "cuda" or "cuda:1" (default: a GPU where there is one)')


def share(text: str) -> float:
    """A number from 0 to 1, for `argparse`."""
    return _within(text, 1)


def percentage(text: str) -> float:
    """A number from 0 to 100, for `argparse`."""
    return _within(text, 100)


def _within(text: str, most: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to {most}, got {text!r}")
    return value


def add_request_options(parser: argparse.ArgumentParser, *, sampler: bool = True) -> None:
    """Add the options that `request_of` reads.

    Args:
        sampler: also which sampler; left out where a command has names of its own for that.
    """
    asked = parser.add_argument_group("what is asked")
    if sampler:
        asked.add_argument(
            "--sampler",
            default="object-aware",
            metavar="NAME[:N]",
            help=f"one of {', '.join(SAMPLERS)} (default: %(default)s); object-aware:64 for at most 64 boxes, grid:16 "
            "for 16 x 16 points, grid:16:single for one mask of each point",
        )
    asked.add_argument("--max-prompts", type=positive, metavar="K", help="ask at most so many (320)")
    asked.add_argument("--points-per-side", type=positive, metavar="N", help="of a grid (32)")
    asked.add_argument("--single-mask", action="store_true", help="ask for one mask of each point instead of three")
    asked.add_argument("--confidence", type=share, metavar="C", help="of the detector, 0 to 1 (0.4)")
    left = parser.add_argument_group("what is left out")
    left.add_argument("--predicted-iou", type=share, default=0.0, metavar="X", help="masks below it, 0 to 1")
    left.add_argument("--stability", type=share, default=0.0, metavar="X", help="masks below it, 0 to 1")
    left.add_argument(
        "--min-area", type=percentage, default=0.0, metavar="P", help="masks below P percent of the picture"
    )
    left.add_argument(
        "--mask-nms",
        type=share,
        metavar="X",
        help="of masks that overlap with an IoU above it all but the best",
    )
    left.add_argument("--hide-nested", action="store_true", help="masks that lie within a larger one")
    left.add_argument("--flatten", action="store_true", help="what smaller masks cover of larger ones")
    left.add_argument("--clean", type=positive, default=0, metavar="PIXELS", help="islands and holes of fewer pixels")


def request_of(options: argparse.Namespace, sampler: str | None = None) -> Request:
    """What the options of `add_request_options` ask.

    Args:
        sampler: as `Request.parse` reads it, of several that a command takes: options that do not belong to it are
            the others'. None: the one of the options, to which all must belong.

    Raises:
        UnknownModelError: if there is no such sampler.
        PromptError: if an option does not belong to it.
    """
    from ..filters import ViewFilters
    from ..request import Request

    view = ViewFilters(
        clean=options.clean,
        min_area_percent=options.min_area,
        min_predicted_iou=options.predicted_iou,
        min_stability=options.stability,
        mask_nms=options.mask_nms,
        hide_nested=options.hide_nested,
        flatten=options.flatten,
    )
    multimask = False if options.single_mask else None
    numbers = (options.max_prompts, options.points_per_side, options.confidence)
    text: str = options.sampler if sampler is None else sampler
    if sampler is None and ":" not in text:
        return Request(text, *numbers, multimask=multimask, view=view)
    most, side, confidence = numbers
    return Request.parse(
        text,
        max_prompts=most,
        points_per_side=side,
        confidence=confidence,
        multimask=multimask,
        view=view,
    )


def load_segmenter(options: argparse.Namespace, *, fall_back: bool = True) -> Segmenter:
    """The segmenter that the options of `add_model_options` describe.

    Args:
        fall_back: a model or a detector that is not on this machine and cannot be fetched is a sentence on stderr and
            the embedded one instead, so that people without a network get their masks. Results name the model that
            made them. False: it is an error.

    Raises:
        MobileSamError: if there is no such model, checkpoint or device.
    """
    import mobilesamv2

    weights = given_weights(options)
    try:
        return mobilesamv2.load(
            options.model,
            weights=weights,
            detector=options.detector or _usual(options.model),
            device=options.device,
        )
    except mobilesamv2.WeightsUnreachableError as error:
        if not fall_back:
            raise
        model, detector = _what_is_here(options)
        changes = [model] if model != options.model else []
        changes += [f"the detector {detector}"] if detector != (options.detector or _usual(model)) else []
        print(f"mobilesamv2: {error} Going on with {' and '.join(changes)}.", file=sys.stderr)
        return mobilesamv2.load(
            model,
            weights=weights if model == options.model else None,
            detector=detector,
            device=options.device,
        )


@dataclass(frozen=True)
class Loader:
    """Loads the model that the command line names, and no other; can be sent to another process."""

    options: argparse.Namespace

    def __call__(self) -> Segmenter:
        return load_segmenter(self.options, fall_back=False)


def given_weights(options: argparse.Namespace) -> str | dict[str, str] | None:
    """The checkpoint that the options of `add_model_options` name, as `load` takes it; None for the zoo's own."""
    weights: str | None = options.weights
    if options.decoder_weights is None:
        return weights
    if weights is None:
        raise WeightsError("--decoder-weights goes with --weights, which names the image encoder's checkpoint.")
    return {"encoder": weights, "decoder": options.decoder_weights}


def _what_is_here(options: argparse.Namespace) -> tuple[str, str]:
    """The model and the detector that were asked for, or in place of what would have to be fetched the embedded one."""
    from .. import weights, zoo

    model = zoo.find_model(options.model)
    if options.weights is None and weights.missing(model.files.values()):
        model = zoo.MODELS[zoo.DEFAULT_MODEL]
    name = options.detector or _usual(model.name)
    if name in zoo.DETECTORS and weights.missing(zoo.DETECTORS[name].files.values()):
        name = zoo.MODELS[zoo.DEFAULT_MODEL].detector
    return model.name, name


def _usual(model: str) -> str:
    from .. import zoo

    return zoo.find_model(model).detector
