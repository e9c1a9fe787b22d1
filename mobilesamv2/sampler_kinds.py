"""The samplers by name: what each is asked with and what it is called. `prompts.make_sampler` makes one of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import PromptError, UnknownModelError


@dataclass(frozen=True)
class SamplerKind:
    """What a sampler is like, for everything that lets people choose one.

    Args:
        title: in menus: "Grid search".
        phrase: in sentences: "grid search".
        noun: one of its prompts, and several.
        has_detector: its first prompts come from a detector's boxes; `confidence` is an option.
        is_square: its budget is the points along each side of a square grid, so a part of its prompts is no smaller
            budget. Otherwise the budget is a number of prompts, and a smaller one is the first prompts of a larger one.
        has_points: it asks about points, for which `multimask` is an option.
        is_adaptive: what it asks later depends on the masks of what it asked first.
    """

    title: str
    phrase: str
    noun: tuple[str, str]
    has_detector: bool = False
    is_square: bool = False
    has_points: bool = True
    is_adaptive: bool = False


SAMPLERS = {
    "object-aware": SamplerKind(
        "Object-aware", "object-aware sampling", ("box", "boxes"), has_detector=True, has_points=False
    ),
    "grid": SamplerKind("Grid search", "grid search", ("point", "points"), is_square=True),
    "box-centres": SamplerKind("Box centres", "sampling of box centres", ("point", "points"), has_detector=True),
    "hierarchical": SamplerKind(
        "Hierarchical", "hierarchical search", ("point", "points"), is_square=True, is_adaptive=True
    ),
    "coverage": SamplerKind(
        "Coverage", "coverage sampling", ("prompt", "prompts"), has_detector=True, is_adaptive=True
    ),
}
"""All samplers, in the order of menus."""


def chosen_samplers(names: str | Sequence[str]) -> tuple[str, ...]:
    """The samplers that people name: "grid,coverage", a list of names, or "all"; in the order of `SAMPLERS`.

    Raises:
        UnknownModelError: if there is no such sampler.
        PromptError: if none is named.
    """
    given = names.split(",") if isinstance(names, str) else names
    if not isinstance(given, Sequence):
        raise PromptError(f'Samplers are names, as a list or in one text: "grid,coverage" or "all"; got {names!r:.60}.')
    wanted = {str(name).strip() for name in given} - {""}
    for name in sorted(wanted - {"all", *SAMPLERS}):
        raise UnknownModelError(f"There is no sampler {name!r:.60}. Known: {', '.join(SAMPLERS)}.")
    if not wanted:
        raise PromptError(f"Name at least one sampler: {', '.join(SAMPLERS)}, or all.")
    return tuple(name for name in SAMPLERS if name in wanted or "all" in wanted)
