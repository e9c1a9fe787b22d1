"""Loads checkpoints into a Segment Anything model, from one file or from one for each half."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from ..errors import WeightsError
from ..models.sam import Sam
from .load import load_strictly
from .names import PARTS, State, by_module, joined, without_prefix
from .other_names import read_model

_SAID = {"encoder": "image encoder", "decoder": "prompt encoder and mask decoder"}


def load_sam(sam: Sam, files: Mapping[str, Path]) -> None:
    """Load a model whole; of a file that holds more than its part, only the part is taken.

    Args:
        sam: takes the weights; keeps its device and number format.
        files: `{"whole": …}`, or `{"encoder": …, "decoder": …}`.

    Raises:
        WeightsError: if a file is not safe to read, lacks a part, or was made for another architecture.
    """
    if "whole" in files:
        _load_whole(sam, files["whole"])
        return
    for part, path in files.items():
        _load_part(sam, part, read_model(path), source=path)


def _load_whole(sam: Sam, path: Path) -> None:
    state = read_model(path)
    found = set(by_module(state)) - {""}
    own = sam.image_encoder.state_dict()
    if not found and len(own.keys() & without_prefix(state, own).keys()) > len(own) / 2:
        found = set(PARTS["encoder"])
    for part, modules in PARTS.items():
        if found == set(modules):
            _load_part(sam, part, state, source=path)  # first of all, is it the right half?
            (other,) = PARTS.keys() - {part}
            raise WeightsError(
                f"{path} holds the {_SAID[part]} alone, without the {_SAID[other]}; give both files: "
                'weights={"encoder": …, "decoder": …}.'
            )
    load_strictly(sam, joined(by_module(state)), source=path)


def _load_part(sam: Sam, part: str, state: State, *, source: Path) -> None:
    modules = by_module(state)
    if part == "encoder" and set(modules) == {""}:  # names without the module's, as encoders are published
        own = sam.image_encoder.state_dict()
        modules = {"image_encoder": without_prefix(state, own)}
    taken = {name: table for name, table in modules.items() if name in (*PARTS[part], "")}
    if not taken.keys() & set(PARTS[part]):
        raise WeightsError(
            f"{source} holds no {_SAID[part]} (its first tensor is {next(iter(state))}); name the file of the {part}."
        )
    network = nn.ModuleDict({name: getattr(sam, name) for name in PARTS[part]})
    load_strictly(network, joined(taken), source=source)
