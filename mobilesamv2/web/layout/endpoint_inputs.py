"""What programs send, checked before anything else sees it: each wrong value is one sentence that names it.

Gradio's own checks answer a wrong type with a traceback in the log and no reason for the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component

from ..text import programs as text
from .given_files import Photos
from .sentences import refused


def list_input(name: str, *, of_lists: bool) -> gr.JSON:
    """An input that takes a list, of lists or of anything; what it holds is checked where it is read."""
    component = gr.JSON(label=name)
    items: dict[str, Any] = {"type": "array", "items": {}} if of_lists else {}
    # Gradio's own description of JSON is not one that other programs can read.
    component.api_info = lambda: {"type": "array", "items": items}
    return component


def check(component: Component) -> None:
    """Let an input of an endpoint take what its kind takes and refuse the rest; nothing (null) is its first value."""
    name, first = str(component.label or ""), component.value
    checks: dict[type, Callable[[Any], Any]] = {
        gr.Slider: lambda value: _whole_number(name, value, int(component.minimum), int(component.maximum)),
        gr.Radio: lambda value: _choice(name, value, [str(value) for _, value in component.choices]),
        gr.Dropdown: lambda value: _choice(name, value, [str(value) for _, value in component.choices]),
        gr.Checkbox: lambda value: _yes_or_no(name, value),
        gr.Textbox: lambda value: _text(name, value),
        gr.JSON: lambda value: value,  # read where it is known what it means
        gr.CheckboxGroup: lambda value: value,
    }
    if isinstance(component, gr.File):
        component.data_model = Photos
    elif type(component) in checks:
        checked = checks[type(component)]
        component.preprocess = lambda payload: first if payload is None else checked(payload)


def _whole_number(name: str, value: Any, low: int, high: int) -> int:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or value != value or not low <= value <= high or int(value) != value:
        raise refused(text.whole_number(name, low, high, value))
    return int(value)


def _choice(name: str, value: Any, choices: list[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise refused(text.choice(name, choices, value))
    return value


def _yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise refused(text.yes_or_no(name, value))
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise refused(text.words(name, value))
    return value
