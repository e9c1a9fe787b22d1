"""Another sampler's questions in pieces, so that answers can be looked at on the way and what is known is left out."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field, replace

from ..errors import PromptError
from ..filters import MaskFilters
from ..types import Masks, Picture, Prompts
from .sampler import Sampler


@dataclass
class PiecewiseSampler:
    """Asks what `sampler` asks, at most `piece` prompts at a time. Serves one run.

    Args:
        sampler: what is asked, in one round or several.
        piece: prompts at a time.
        skip: leave out so many prompts at the beginning of its first round: they were asked before.
        filters: instead of the sampler's own; None: those.
        prompts: what was asked so far.
        answers: what came so far, in the order asked, `prompt_index` counted from the first prompt asked here.
        asked: prompts whose answers came.
        total: prompts of the rounds that have begun.
    """

    sampler: Sampler
    piece: int = 32
    skip: int = 0
    filters: MaskFilters = field(default_factory=MaskFilters)
    prompts: list[Prompts] = field(default_factory=list)
    answers: list[Masks] = field(default_factory=list)
    asked: int = 0
    total: int = 0

    def __post_init__(self) -> None:
        if self.piece < 1 or self.skip < 0:
            raise PromptError(
                f"A piece has at least 1 prompt, and 0 or more are left out; got {self.piece} and {self.skip}."
            )

    @property
    def name(self) -> str:
        return self.sampler.name

    def rounds(self, picture: Picture) -> Generator[Prompts, Masks, None]:
        """Yield the rounds of `sampler` in pieces; it is sent all masks of a round together."""
        rounds = self.sampler.rounds(picture)
        skip = self.skip
        try:
            prompts = next(rounds)
            while True:
                prompts = prompts[slice(skip, None)]
                skip, before = 0, self.asked
                self.total = before + len(prompts)
                came = [Masks.empty((picture.shape[0], picture.shape[1]))]
                # A round of no prompts is asked too: results tell its kind.
                for start in range(0, max(1, len(prompts)), self.piece):
                    part = prompts[slice(start, start + self.piece)]
                    masks = yield part
                    masks = replace(masks, prompt_index=masks.prompt_index + start)
                    came.append(masks)
                    self.prompts.append(part)
                    self.answers.append(replace(masks, prompt_index=masks.prompt_index + before))
                    self.asked += len(part)
                prompts = rounds.send(Masks.concatenate(came))
        except StopIteration:
            return
