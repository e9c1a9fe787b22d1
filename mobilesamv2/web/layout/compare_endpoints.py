"""`/compare` and `/budget` for programs."""

from __future__ import annotations

from typing import Any

import gradio as gr

from .. import budgeting, comparing
from ..menus import OWN_BY_NAME, joined
from ..settings import EMBEDDED_MODEL
from ..steps import last
from ..text import budgeting as budget_text
from ..text import comparing as compare_text
from ..visits import Visit
from .page import Page
from .parts import png
from .wiring import endpoint


def add_compare(page: Page, photo: gr.Image, model: gr.Dropdown, detector: gr.Dropdown) -> None:
    """Offer `/compare`: any two samplers and budgets on one encoding.

    Args:
        photo, model, detector: of the endpoints, not of the page.
    """
    settings = page.settings
    run = page.on_model(comparing.run_compare, prompts=comparing.prompts_of_compare)

    def compare_program(
        photo: str,
        max_prompts: float = 320,
        points_per_side: float = 32,
        model: str = EMBEDDED_MODEL,
        draw_prompts: bool = False,
        left: str = "grid",
        right: str = "object-aware",
        detector: str = OWN_BY_NAME,
    ) -> tuple[str, str, dict[str, Any]]:
        """Run two samplers on one encoding of a photo.

        Args:
            photo: the photo, any size up to 120 megapixels.
            max_prompts: at most so many boxes, where a contender names no number of its own.
            points_per_side: of a grid, where a contender names no number of its own.
            model: name of the model.
            draw_prompts: true draws the boxes and points that were asked onto the overlays.
            left: the first contender: grid, grid:16, object-aware or object-aware:64.
            right: the second contender, written like the first.
            detector: name of what proposes the boxes; own is the one that the model is usually used with.
        """
        first, second = (
            comparing.contender_of(
                text,
                max_prompts=int(max_prompts),
                points_per_side=int(points_per_side),
                most=settings.prompts.high,
            )
            for text in (left, right)
        )
        items = comparing.compare(
            Visit(),
            photo,
            (first, second),
            joined(model, detector),
            run=run,
            display_side=settings.display_side,
        )
        view = last(items)
        overlays = view.overlays(with_prompts=draw_prompts)
        names = (name.replace(":", "-").replace(" ", "-") for name in view.found.names)
        files = [png(drawn, name) for drawn, name in zip(overlays, names, strict=True)]
        return files[0], files[1], view.summary

    prompts, sides = settings.prompts, settings.grid_sides
    inputs = [
        photo,
        gr.Slider(prompts.low, prompts.high, prompts.start, step=prompts.step, label="max_prompts"),
        gr.Slider(sides.low, sides.high, sides.start, step=sides.step, label="points_per_side"),
        model,
        gr.Checkbox(label="draw_prompts", value=False),
        gr.Textbox(label="left", value="grid"),
        gr.Textbox(label="right", value="object-aware"),
        detector,
    ]
    outputs = [*(gr.Image(label=side, format="png") for side in ("left", "right")), gr.JSON(label="summary")]
    endpoint(compare_program, inputs, outputs, name="compare", description=compare_text.API)


def add_budget(page: Page, photo: gr.Image, model: gr.Dropdown, detector: gr.Dropdown) -> None:
    """Offer `/budget`: what more prompts bring on a photo; arguments as for `add_compare`."""
    run = page.on_model(budgeting.run_budget, prompts=budgeting.prompts_of_budget)

    def budget_program(
        photo: str, largest: float = 1024, model: str = EMBEDDED_MODEL, detector: str = OWN_BY_NAME
    ) -> dict[str, Any]:
        """Measure what more prompts bring on a photo.

        Args:
            photo: the photo, any size up to 120 megapixels.
            largest: the largest number of prompts to measure.
            model: name of the model.
            detector: name of what proposes the boxes; own is the one that the model is usually used with.
        """
        view = last(budgeting.budget(Visit(), photo, int(largest), joined(model, detector), run=run))
        summary: dict[str, Any] = view.summary
        return summary

    offered = page.settings.prompts
    largest = gr.Slider(offered.low, offered.high, offered.high, step=1, label="largest")
    endpoint(
        budget_program,
        [photo, largest, model, detector],
        [gr.JSON(label="summary")],
        name="budget",
        description=budget_text.API,
    )
