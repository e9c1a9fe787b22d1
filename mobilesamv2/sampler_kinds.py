"""The samplers by name: what each is asked with and what it is called. `prompts.make_sampler` makes one of each."""

from __future__ import annotations

from dataclasses import dataclass


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
    "box-centres": SamplerKind(
        "Box centres", "sampling of box centres", ("point", "points"), has_detector=True
    ),
    "hierarchical": SamplerKind(
        "Hierarchical", "hierarchical search", ("point", "points"), is_square=True, is_adaptive=True
    ),
    "coverage": SamplerKind(
        "Coverage", "coverage sampling", ("prompt", "prompts"), has_detector=True, is_adaptive=True
    ),
}
"""All samplers, in the order of menus."""
