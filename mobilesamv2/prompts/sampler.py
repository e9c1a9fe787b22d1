"""What every sampler is: a source of prompts, and the filters its masks need."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from ..types import Masks, Picture, Prompts


@dataclass(frozen=True)
class MaskFilters:
    """Which decoded masks are kept. The defaults keep everything.

    Args:
        predicted_iou: keep masks whose predicted IoU is above this; None: all.
        stability: keep masks whose stability score is at least this; None: all.
        stability_offset: how far the threshold moves up and down for the stability score, in logits.
        box_nms: of masks whose boxes overlap with an IoU above this keep the one with the highest score; None: all.
    """

    predicted_iou: float | None = None
    stability: float | None = None
    stability_offset: float = 1.0
    box_nms: float | None = None


class Sampler(Protocol):
    """Asks for masks, in one round or several.

    Attributes:
        name: what people call it.
        filters: applied to every mask it gets.
    """

    @property
    def name(self) -> str: ...

    @property
    def filters(self) -> MaskFilters: ...

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the prompts of a round, be sent the masks it gave (before `box_nms`), and end when none are wanted.

        A round may be empty. Prompts of all rounds must be of one kind.
        """
        ...
