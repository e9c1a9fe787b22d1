"""An encoded picture that outlives its process: plain arrays on the CPU, which can be kept, pickled and sent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .geometry import ResizeLongestSide
from .segmenter import Embedding
from .types import Floats


@dataclass(frozen=True, eq=False)
class StoredEmbedding:
    """What an `Embedding` holds, off its device.

    Args:
        features: float32 (1, C, h, w).
        frame: where the picture lies in the model's input.
        timings: seconds spent in "preprocess" and "encode".
        dtype: number format it had on its device; float32 holds each value of it.
    """

    features: Floats
    frame: ResizeLongestSide
    timings: dict[str, float]
    dtype: torch.dtype

    @classmethod
    def of(cls, embedding: Embedding) -> StoredEmbedding:
        """A copy of `embedding` on the CPU."""
        return cls(
            features=_array(embedding.features),
            frame=embedding.frame,
            timings=dict(embedding.timings),
            dtype=embedding.features.dtype,
        )

    def on(self, device: torch.device) -> Embedding:
        """The embedding it was made of, on `device`, value for value."""

        def tensor(array: Floats) -> Tensor:
            return torch.tensor(array).to(device=device, dtype=self.dtype)

        return Embedding(
            features=tensor(self.features),
            frame=self.frame,
            timings=dict(self.timings),
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays in bytes."""
        return int(self.features.nbytes)


def _array(tensor: Tensor) -> Floats:
    array: Floats = tensor.detach().to(device="cpu", dtype=torch.float32).numpy().copy()
    return array
