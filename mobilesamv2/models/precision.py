"""Networks run in the number formats of their weights, whatever their caller has switched on."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def own_precision(device: torch.device) -> AbstractContextManager[object]:
    """Switch a caller's autocast off for the length of a block: layers get tensors of their weights' number format."""
    if not torch.amp.is_autocast_available(device.type):  # for "meta" there is none
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
