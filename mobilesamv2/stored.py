"""An encoded picture that outlives its process: plain arrays on the CPU, which can be kept, pickled and sent."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .geometry import ResizeLongestSide
from .promptable import Embedding
from .types import Floats


@dataclass(frozen=True, eq=False)
class StoredEmbedding:
    """What an `Embedding` holds, off its device.

    Args:
        features: float32 (1, C, h, w).
        resize: where the picture lies in the model's input.
        timings: seconds spent in "preprocess" and "encode".
        model: name of the model that made it.
        weights: fingerprint of that model's weights.
        dtype: name of the number format it had on its device, "bfloat16" or so; float32 holds each value of it.
    """

    features: Floats
    resize: ResizeLongestSide
    timings: dict[str, float]
    model: str
    dtype: str
    weights: str = ""

    @classmethod
    def of(cls, embedding: Embedding) -> StoredEmbedding:
        """A copy of `embedding` on the CPU."""
        return cls(
            features=embedding.features.detach().to(device="cpu", dtype=torch.float32).numpy().copy(),
            resize=embedding.resize,
            timings=dict(embedding.timings),
            model=embedding.model,
            dtype=str(embedding.features.dtype).removeprefix("torch."),
            weights=embedding.weights,
        )

    def on(self, device: torch.device) -> Embedding:
        """The embedding it was made of, on `device`, value for value."""
        return Embedding(
            features=torch.tensor(self.features, device="cpu").to(device=device, dtype=getattr(torch, self.dtype)),
            resize=self.resize,
            timings=dict(self.timings),
            model=self.model,
            weights=self.weights,
        )

    @property
    def nbytes(self) -> int:
        """Memory of the array in bytes."""
        return int(self.features.nbytes)
