"""Context in which networks run: the same whatever modes and defaults the caller has set in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

_SHORT = ("can't allocate memory", "not enough memory", "out of memory", "Unable to allocate")
"""What PyTorch and numpy say where memory does not suffice; on a CPU PyTorch has no error of its own for that."""


def is_short_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device or the machine has no memory left."""
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _SHORT)
    )


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Run without gradients and autocast, with float32 and the CPU as the defaults of new tensors.

    What the caller has set is there again afterwards. The default number format is one for all threads, so it is only
    touched where it is another one.
    """
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode())
        if torch.amp.is_autocast_available(device.type):
            stack.enter_context(torch.autocast(device.type, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        if (dtype := torch.get_default_dtype()) != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        yield
