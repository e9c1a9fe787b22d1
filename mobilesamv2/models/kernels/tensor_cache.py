"""Cache of tensors derived from parameters, such as convolution weights with their batch norm folded in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class DerivedTensors:
    """Cache of what one computation makes of a module's parameters; computed again after any of them changed.

    Weights may be loaded, trained, moved or given another number format at any time. A change is noticed by the counter
    that PyTorch raises at every write in place, and by the address of the memory; only writes through `.data` are not.
    With gradients nothing is kept, because they need the computation itself. Copies of a module, and modules that are
    read from a file, start with an empty cache.
    """

    def __init__(self) -> None:
        self._cached: tuple[tuple[Tensor, ...], tuple[int, ...], tuple[Tensor, ...]] | None = None

    def __call__(self, compute: Callable[[], tuple[Tensor, ...]], *sources: Tensor) -> tuple[Tensor, ...]:
        """What `compute` makes of the sources."""
        # A tensor that was made in inference mode has no counter.
        if torch.is_grad_enabled() or any(source.is_inference() for source in sources):
            return compute()
        versions = tuple(source._version for source in sources)
        cached = self._cached  # read once: another thread may replace it
        if cached is not None and versions == cached[1] and all(map(_same_memory, sources, cached[0])):
            return cached[2]
        made = compute()
        # The sources are kept, so that no other tensor can take their memory.
        self._cached = (tuple(source.detach() for source in sources), versions, made)
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> DerivedTensors:
        return DerivedTensors()

    def __reduce__(self) -> tuple[type[DerivedTensors], tuple[()]]:
        return DerivedTensors, ()


def _same_memory(a: Tensor, b: Tensor) -> bool:
    return a.data_ptr() == b.data_ptr() and a.dtype == b.dtype and a.device == b.device and a.shape == b.shape
