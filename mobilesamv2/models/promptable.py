"""Protocol of promptable networks, three calls: encode a picture, share it among prompts, decode prompts."""

from __future__ import annotations

from typing import Protocol, TypeVar

import torch
from torch import Tensor

Shared = TypeVar("Shared")


class PromptableNetwork(Protocol[Shared]):
    """A network that answers prompts on an encoded picture.

    Pictures lie at the top left of a square of S pixels, padded to the right and below. Coordinates of prompts are
    pixels of a square of `input_side`. The calls run within `inference`.
    """

    @property
    def input_side(self) -> int:
        """Side in pixels of the square that prompts and masks lie in."""
        ...

    @property
    def picture_side(self) -> int:
        """Side S in pixels of the square that `encode` takes."""
        ...

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the weights, and of `encode`'s features."""
        ...

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode a normalised, padded picture (1, 3, S, S) as features (1, C, h, w)."""
        ...

    def share(self, features: Tensor) -> Shared:
        """What any number of `decode`s on these features share, once per picture."""
        ...

    def decode(
        self,
        features: Tensor,
        *,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes_xyxy: Tensor | None = None,
        masks: Tensor | None = None,
        shared: Shared | None = None,
        multimask: bool,
    ) -> tuple[Tensor, Tensor]:
        """Answer N prompts on one picture.

        Args:
            features: (1, C, h, w), of `encode`.
            points: (N, P, 2), x before y, or None.
            labels: (N, P), 1 foreground, 0 background, -1 padding; comes with `points`.
            boxes_xyxy: (N, 4), or None.
            masks: (N, 1, 4h, 4w), logits of an earlier answer to refine, or None.
            shared: `share` of the features; made here where it is left out.
            multimask: three masks instead of one.

        Returns:
            float32 logits (N, M, 4h, 4w), a mask where above 0, and float32 predicted IoUs (N, M), M = 3 with
            `multimask`, else 1.
        """
        ...
