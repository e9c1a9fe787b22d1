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
from gradio_client.utils import async_traverse, is_file_obj_with_meta, is_http_url_like, traverse
from pydantic import ValidationError

from ..health import Health
from ..metrics import Metrics
from ..settings import Range
from ..text import programs as text
from ..values import ValueKind
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
        stop_runs: ends all runs; `launch` calls it at its end.
        fetch_addresses: whether a photo may be named by its address. To look one up is a request, too: even for an
            address of this machine Gradio asks a name server on the internet.
    """

    metrics: Metrics
    health: Health
    stop_runs: Callable[[], object]
    fetch_addresses = False

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> Any:
        """What Gradio does, with the files taken first and the values looked at."""
        if len(inputs) < len(block_fn.inputs):
            raise refused(text.too_few(len(block_fn.inputs), len(inputs)))
        given = list(inputs)
        for place, (component, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
            # A file may hide in any value: Gradio takes it wherever it is.
            given[place] = _sound(component, await self._taken(component, value, uploads_only=not explicit_call))
        try:
            return await super().preprocess_data(block_fn, given, state, explicit_call)
        except ComponentProcessingError as error:
            raise refused("One of the values is of another kind than is asked for here.") from error
        except gr.Error as error:
            raise refused(escape(error.message, quote=False) if error.print_exception else error.message) from error

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What Gradio does, with the files noted that go out, so that they are removed in time.

        Gradio itself notes them with the component, of which each page has a copy that nobody looks through.
        """
        told: list[Any] = await super().postprocess_data(block_fn, predictions, state)

        def note(file: dict[str, Any]) -> dict[str, Any]:
            self.upload_file_set.add(file["path"])
            return file

        traverse(told, note, is_file_obj_with_meta)
        return told

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


def kind_of(component: Component) -> ValueKind | None:
    """What a component takes, by its label; None for what is checked where it is read."""
    name = component.label
    if isinstance(component, (gr.Slider, gr.Number)):
        low = -_WIDEST if component.minimum is None else component.minimum
        high = _WIDEST if component.maximum is None else component.maximum
        return ValueKind(name, low=low, high=high, is_whole=hasattr(component, "is_whole"))
    if isinstance(component, (gr.Radio, gr.Dropdown)):
        return ValueKind(name, choices=[choice for _, choice in component.choices])
    if isinstance(component, gr.Checkbox):
        return ValueKind(name)
    return ValueKind(name, is_text=True) if isinstance(component, gr.Textbox) else None


def _sound(component: Component, value: Any) -> Any:
    """The value of a control or of an endpoint's input; nothing (null) is its first value."""
    if value is None:
        return component.value
    kind = kind_of(component)
    if kind is None:
        return value
    if not kind.takes(value):
        raise refused(text.wrong(kind.name, kind.expected(), value))
    if isinstance(component, gr.Number):
        return float(value)
    return int(value) if kind.is_whole else value


def whole_number(name: str, offered: Range) -> gr.Slider:
    """An endpoint's input that takes a whole number of a range, in its steps or not."""
    component = gr.Slider(offered.low, offered.high, offered.start, step=offered.step, label=name)
    component.is_whole = True  # for `kind_of`
    return component


def names(name: str, choices: Sequence[str], *, first: Sequence[str] | None = None) -> gr.CheckboxGroup:
    """An input that takes some of several names, at first `first` or all of them; checked where they are read."""
    component = gr.CheckboxGroup(list(choices), value=list(choices if first is None else first), label=name)
    component.preprocess = lambda value: value
    return component


def list_of(name: str, *, lists: bool = False) -> gr.JSON:
    """An input that takes a list, of lists or of anything; what it holds is checked where it is read."""
    component = gr.JSON(label=name)
    items: dict[str, Any] = {"type": "array", "items": {}} if lists else {}
    # Gradio's own description of JSON is not one that other programs can read.
    component.api_info = lambda: {"type": "array", "items": items}
    return component
