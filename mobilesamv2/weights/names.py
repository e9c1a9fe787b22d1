"""Brings the names of a checkpoint's tensors to those of our networks. Pure functions on tables of tensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor

State = Mapping[str, Tensor]

PARTS = {"encoder": ("image_encoder",), "decoder": ("prompt_encoder", "mask_decoder")}
"""What the two files of a model made of two hold, by the names of `Sam`'s modules."""

_TRAINING = ("module.", "model.", "_orig_mod.")

_MODULES = {
    "image_encoder": "image_encoder",
    "prompt_encoder": "prompt_encoder",
    "mask_decoder": "mask_decoder",
    # MobileSAMv2's decoder file spells it so.
    "PromtEncoder": "prompt_encoder",
    "PromptEncoder": "prompt_encoder",
    "MaskDecoder": "mask_decoder",
}


def without_prefix(state: State, own: Collection[str]) -> dict[str, Tensor]:
    """Take off what all names of a checkpoint begin with, as far as that makes them the network's.

    Args:
        state: the tensors by name, such as `module.image_encoder.neck.0.weight`.
        own: the names the network has, such as `neck.0.weight`.
    """
    best = shorter = dict(state)
    while len({name.partition(".")[0] for name in shorter}) == 1 and all("." in name for name in shorter):
        shorter = {name.partition(".")[2]: value for name, value in shorter.items()}
        if _known(shorter, own) > _known(best, own):
            best = shorter
    return best


def unwrapped(state: State) -> dict[str, Tensor]:
    """Take off the prefixes that training and compiling put before all names, where the network is not known."""
    state = dict(state)
    for _ in _TRAINING:
        for prefix in _TRAINING:
            if state and all(name.startswith(prefix) for name in state):
                state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def _known(state: State, own: Collection[str]) -> int:
    return sum(name in own for name in state)


def by_module(state: State) -> dict[str, dict[str, Tensor]]:
    """Sort the tensors of a whole or half Segment Anything model by the module they belong to.

    A prefix before the module's name, such as `model.` or `module.`, is taken off; it must be the same everywhere.
    What training puts between the module's name and those of its tensors is taken off too.

    Returns:
        Tables for those of "image_encoder", "prompt_encoder" and "mask_decoder" that there are, names without the
        module's; under "" what belongs to none of them, with its full name.
    """
    modules: dict[str, dict[str, Tensor]] = {}
    prefix: list[str] | None = None
    for name, value in state.items():
        parts = name.split(".")
        at = next((index for index, part in enumerate(parts) if part in _MODULES), None)
        if at is None or (prefix is not None and parts[:at] != prefix):
            modules.setdefault("", {})[name] = value
            continue
        prefix = parts[:at]
        modules.setdefault(_MODULES[parts[at]], {})[".".join(parts[at + 1 :])] = value
    return {module: unwrapped(table) if module else table for module, table in modules.items()}


def joined(modules: Mapping[str, State]) -> dict[str, Tensor]:
    """The inverse of `by_module`: one table, names with those of the modules, no prefix before them."""
    return {
        f"{module}.{name}" if module else name: value
        for module, table in modules.items()
        for name, value in table.items()
    }
