"""Link to the present settings: a button that makes it, and a listener that applies it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from ..text import page as text
from ..values import ValueKind, read_query
from .inputs import kind_of
from .serving import script
from .wiring import QUIET

LINKED = {
    "model": "model",
    "detector": "detector",
    "sampler": "sampler",
    "prompts": "prompts",
    "confidence": "confidence",
    "own-filters": "own_filters",
    "min-area": "min_area",
    "min-iou": "min_iou",
    "min-stability": "min_stability",
    "mask-nms": "mask_nms",
    "clean": "clean",
    "hide-nested": "hide_nested",
    "one-per-pixel": "one_per_pixel",
    "view": "view",
    "opacity": "opacity",
    "compare-left": "left",
    "compare-right": "right",
    "compare-view": "show",
    "draw-prompts": "draw_prompts",
    "budget-largest": "largest",
    "budget-samplers": "samplers",
    "batch-sampler": "batch_sampler",
    "batch-prompts": "batch_prompts",
}
"""What a component is called in the address, by its `elem_id`; what is not on the page is passed over."""
TAB = "tab"


def add_permalink(demo: gr.Blocks, tabs: gr.Tabs, names: Sequence[str], chosen: gr.Textbox) -> None:
    """Add the button, and let the address of a visitor set what it names.

    Args:
        names: of the tabs.
        chosen: the model with its detector, as the menus join them.
    """
    button = gr.Button(text.LINK_BUTTON, size="sm", elem_id="permalink", min_width=60)
    found = {block.elem_id: block for block in demo.blocks.values() if isinstance(block, Component)}
    linked = {name: found[elem_id] for elem_id, name in LINKED.items() if elem_id in found}
    settings = [_setting_of(name, component) for name, component in linked.items()]
    settings.append(ValueKind(TAB, choices=names))
    firsts = {name: component.value for name, component in linked.items()} | {TAB: names[0]}

    def follow(request: gr.Request) -> list[Any]:
        values, wrong = read_query(dict(request.query_params), settings)
        if wrong is not None:
            gr.Warning(escape(wrong, quote=False))
        updates = [gr.update(value=values[name]) if name in values else gr.skip() for name in linked]
        tab = gr.update(selected=values[TAB]) if TAB in values else gr.skip()
        model, detector = (values.get(name, getattr(linked.get(name), "value", None)) for name in ("model", "detector"))
        has_choice = "model" in values or "detector" in values
        choice = f"{model}+{detector}" if detector else model
        return [*updates, tab, gr.update(value=choice) if has_choice else gr.skip()]

    demo.load(
        follow,
        None,
        [*linked.values(), tabs, chosen],
        show_progress="hidden",
        concurrency_limit=None,  # in the queue all the same: warnings come through it only
        api_visibility="private",
    )
    words = {"copied": "Link copied", "address": "The address of this page is the link", "again": text.LINK_BUTTON}
    make = f"(...values) => ({script('permalink')})(values, {json.dumps(firsts)}, {json.dumps(words)})"
    button.click(None, list(linked.values()), None, js=make, **QUIET)


def _setting_of(name: str, component: Component) -> ValueKind:
    """What a component takes, as the address names it."""
    if isinstance(component, gr.CheckboxGroup):
        return ValueKind(name, choices=[value for _, value in component.choices], is_list=True)
    kind = kind_of(component)
    assert kind is not None
    if kind.choices is not None:
        return ValueKind(name, choices=[str(choice) for choice in kind.choices])
    return replace(kind, name=name, is_whole=float(getattr(component, "step", None) or 0.5).is_integer())
