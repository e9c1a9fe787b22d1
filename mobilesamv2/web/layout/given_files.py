"""Files that browsers and programs give: those that were uploaded, and what an address answers with. Never others.

Gradio looks for them before any code of ours runs, and tells the caller nothing where there is none.
"""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.data_classes import ImageData, ListFiles
from gradio.processing_utils import async_move_files_to_cache
from gradio_client.utils import async_traverse, is_file_obj_with_meta
from pydantic import ValidationError

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
    """Blocks that refuse a file they cannot take in a sentence that names the input."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> Any:
        """What Gradio does, with the files taken first."""
        given = list(inputs)
        for place, (component, value) in enumerate(zip(block_fn.inputs, inputs, strict=False)):
            if isinstance(component, (gr.Image, gr.File)):
                given[place] = await _taken(component, value, uploads_only=not explicit_call)
        return await super().preprocess_data(block_fn, given, state, explicit_call)


async def _taken(component: gr.Image | gr.File, value: Any, *, uploads_only: bool) -> Any:
    """The value of an input with its files where they can be read."""
    name = "photos" if isinstance(component, gr.File) else "photo"

    async def take(file: dict[str, Any]) -> Any:
        try:
            return await async_move_files_to_cache(file, component, check_in_upload_folder=uploads_only)
        except Exception as error:  # Gradio itself raises no narrower one for an address that has no file
            raise refused(text.no_file(name, file["path"])) from error

    return await async_traverse(value, take, is_file_obj_with_meta)
