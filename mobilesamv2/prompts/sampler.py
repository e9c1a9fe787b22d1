"""Protocol of samplers: a source of prompts, and the filters for their masks."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from ..filters import MaskFilters
from ..types import Masks, Picture, Prompts


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
        """Yield the prompts of a round, be sent the masks it gave, and end when none are wanted.

        These masks are those that pass the thresholds of `filters`; no NMS has been made yet. `prompt_index` of them
        counts the round's prompts; those that a run skipped have no mask. A round may be empty. Prompts of one round
        must be of one kind: with a box or without.
        """
        ...
