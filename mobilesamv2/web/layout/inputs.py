"""Inputs whose values are checked before anything else sees them: a wrong one is refused in a sentence that names it.

Files are those that were uploaded, and where the settings say so what an address answers with; never others. Gradio's
own checks answer a wrong type with a traceback in the log, and a file that is not there with nothing, and give the
caller no reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData, ListFiles
from gradio.exceptions import ComponentProcessingError
from gradio.processing_utils import async_move_files_to_cache
from gradio_client.utils import async_traverse, is_file_obj_with_meta, is_http_url_like
from pydantic import ValidationError

from ..health import Health
from ..metrics import Metrics
from ..settings import Range
from ..text import programs as text
from .sentences import refused


class Photo(ImageData):  # type: ignore[misc]  # Gradio is not typed here
    """A photograph: a file that was uploaded, or an address to fetch one from."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Any:
        # Gradio asks files for their mark, but not pictures; of what has none it does not ask who brought it.
        if not is_file_obj_with_meta(obj):
            raise refused(text.PHOTO)
        try:
            return super().model_validate(obj, **options)
        except ValidationError:
            raise refused(text.PHOTO) from None


class Photos(ListFiles):  # type: ignore[misc]
    """Several photographs."""

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Any:
        try:
            return super().model_validate(obj, **options)
        except ValidationError:
            raise refused(text.PHOTOS) from None


class Demo(gr.Blocks):  # type: ignore[misc]
    """Blocks that refuse a value they cannot take in a sentence that names the input.

    Attributes:
        metrics, health: what `launch` serves beside the page.
        fetch_addresses: whether a photo may be named by its address. To look one up is a request, too: even for an
            address of this machine Gradio asks a name server on the internet.
    """

    metrics: Metrics
    health: Health
    fetch_addresses = False

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> Any:
        """What Gradio does, with the files taken first and the values looked at."""
        if len(inputs) < len(block_fn.inputs):
            raise refused(text.too_few(len(block_fn.inputs), len(inputs)))
        given = list(inputs)
        for place, (component, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
            # A file may hide in any value: Gradio takes it wherever it is.
            given[place] = await self._taken(component, value, uploads_only=not explicit_call)
            if "preprocess" not in vars(component):  # those of the endpoints look at it themselves
                given[place] = _sound(component, given[place])
        try:
            return await super().preprocess_data(block_fn, given, state, explicit_call)
        except ComponentProcessingError as error:
            raise refused(text.WRONG_VALUE) from error
        except gr.Error as error:
            raise refused(escape(error.message, quote=False) if error.print_exception else error.message) from error

    async def _taken(self, component: Component, value: Any, *, uploads_only: bool) -> Any:
        """The value of an input with its files where they can be read."""
        kinds = {gr.Image: "photo", gr.File: "photos"}
        name = kinds.get(type(component), component.label)

        async def take(file: dict[str, Any]) -> Any:
            no_file = text.no_file(name, file["path"], addresses=self.fetch_addresses)
            if is_http_url_like(file["path"]) and not self.fetch_addresses:
                raise refused(no_file)
            try:
                return await async_move_files_to_cache(file, component, check_in_upload_folder=uploads_only)
            except Exception as error:  # Gradio itself raises no narrower one for an address that has no file
                raise refused(no_file) from error

        return await async_traverse(value, take, is_file_obj_with_meta)


_WIDEST = 2.0**53
"""Of the numbers that browsers tell apart; larger ones cannot be sent back."""


def _sound(component: Component, value: Any) -> Any:
    """The value of one of the page's own controls; nothing (null) is the first value of a slider."""
    name = component.label
    if isinstance(component, (gr.Slider, gr.Number)):
        if value is None:
            return component.value
        low = -_WIDEST if component.minimum is None else component.minimum
        high = _WIDEST if component.maximum is None else component.maximum
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and low <= value <= high):  # NaN is not, either
            raise refused(text.number(name, low, high, value))
    elif isinstance(component, gr.Radio):
        choices = [choice for _, choice in component.choices]
        if value is not None and not (isinstance(value, str) and value in choices):
            raise refused(text.choice(name, choices, value))
    elif isinstance(component, gr.Checkbox):
        if not isinstance(value, bool):
            raise refused(text.yes_or_no(name, value))
    elif isinstance(component, gr.Textbox) and not isinstance(value, (str, type(None))):
        raise refused(text.words(name, value))
    return value


def whole_number(name: str, offered: Range) -> gr.Slider:
    """An input that takes a whole number of a range."""
    low, high = offered.low, offered.high

    def is_right(value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and low <= value <= high and int(value) == value

    component = gr.Slider(low, high, offered.start, step=offered.step, label=name)
    return _checked(component, is_right, lambda got: text.whole_number(name, low, high, got), int)


def number(name: str, low: float, high: float, first: float | None) -> gr.Number:
    """An input that takes a number of a range; `first` may be None, for what the sampler then chooses."""

    def is_right(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    component = gr.Number(value=first, label=name)
    return _checked(component, is_right, lambda got: text.number(name, low, high, got), float)


def choice(name: str, choices: Sequence[str], first: str) -> gr.Dropdown:
    """An input that takes one of several names."""
    component = gr.Dropdown(choices=list(choices), value=first, label=name)
    is_right: Callable[[Any], bool] = lambda value: isinstance(value, str) and value in choices  # noqa: E731
    return _checked(component, is_right, lambda got: text.choice(name, choices, got))


def yes_or_no(name: str) -> gr.Checkbox:
    """An input that takes true or false."""
    component = gr.Checkbox(label=name, value=False)
    return _checked(component, lambda value: isinstance(value, bool), lambda got: text.yes_or_no(name, got))


def words(name: str, first: str) -> gr.Textbox:
    """An input that takes a text."""
    component = gr.Textbox(label=name, value=first)
    return _checked(component, lambda value: isinstance(value, str), lambda got: text.words(name, got))


def names(name: str, choices: Sequence[str], *, first: Sequence[str] | None = None) -> gr.CheckboxGroup:
    """An input that takes some of several names, at first `first` or all of them; checked where they are read."""
    value = list(choices if first is None else first)
    return _checked(gr.CheckboxGroup(label=name, choices=list(choices), value=value))


def list_of(name: str, *, lists: bool = False) -> gr.JSON:
    """An input that takes a list, of lists or of anything; what it holds is checked where it is read."""
    component = gr.JSON(label=name)
    items: dict[str, Any] = {"type": "array", "items": {}} if lists else {}
    # Gradio's own description of JSON is not one that other programs can read.
    component.api_info = lambda: {"type": "array", "items": items}
    return _checked(component)


def _checked(
    component: Component,
    is_right: Callable[[Any], bool] = lambda value: True,
    wrong: Callable[[Any], str] = str,
    read: Callable[[Any], Any] = lambda value: value,
) -> Any:
    """Let an input take what is right and refuse the rest; nothing (null) is its first value."""
    first = component.value

    def preprocess(value: Any) -> Any:
        if value is None:
            return first
        if not is_right(value):
            raise refused(wrong(value))
        return read(value)

    component.preprocess = preprocess
    return component
