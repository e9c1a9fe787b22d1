"""Reads the weights of the embedded model's first version into its second one, which is wider."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_RENAMED = {"prompt_encoder.windows.": "mask_head.", "image_encoder.": "image_encoder."}
_BEGIN_AT_ZERO = (
    "image_encoder.pretrained_laterals.",
    "image_encoder.pretrained_context.",
    "mask_head.read_parts.",
    "mask_head.read_context.",
)
"""Layers that the first version lacks and that change nothing at first."""


def widened(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict for a wide network that computes, at first, what a narrow one did.

    Args:
        found: of the first version, or of the second.
        own: of the second, random.
    """
    if own.keys() <= found.keys():
        return {name: found[name] for name in own}
    state = {name: value.clone() for name, value in own.items()}
    for name, value in state.items():
        if name.startswith(_BEGIN_AT_ZERO):
            value.zero_()
    for name, value in found.items():
        for old, new in _RENAMED.items():
            target = state.get(new + name.removeprefix(old)) if name.startswith(old) else None
            if target is not None:
                _put_into(target, value.to(target.dtype), enters=name.endswith("windows.enter.weight"))
    return state


@torch.no_grad()
def _put_into(target: Tensor, value: Tensor, *, enters: bool) -> None:
    """Put a small tensor into the corner of a larger one; what leads from new channels to old ones is zero."""
    rows = slice(len(value)) if value.ndim else ...
    if value.ndim < 2:
        target[rows] = value
        return
    depth = value.shape[1]
    target[rows] = 0
    if enters:  # five channels after the features are what a prompt says
        target[rows, : depth - 5] = value[:, : depth - 5]
        target[rows, -5:] = value[:, -5:]
    else:
        target[rows, :depth] = value
