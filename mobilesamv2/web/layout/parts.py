"""The components that more than one part of the page uses, and how pictures become files."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import astuple
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from ...export.pictures import jpeg_bytes, png_bytes
from ...types import Picture
from ..settings import Range
from ..text import everything as everything_text
from ..text import page as text
from ..uploads import Upload
from .inputs import Photo


def photo_input(*, elem_id: str | None = "photo") -> gr.Image:
    """Gives the path of the file as it was uploaded: an `Upload`."""
    photo = gr.Image(
        type="filepath",
        sources=["upload", "clipboard", "webcam"],
        label="Photo",
        show_label=False,
        buttons=["fullscreen"],
        placeholder=text.PHOTO_PLACEHOLDER,
        elem_id=elem_id,
        alt_text="The photo to segment",
    )
    photo.data_model = Photo
    # Gradio would open the file itself, and what it raises on a bad one never reaches the visitor. Our own
    # reader says what is wrong, and turns the photo upright.
    photo.preprocess = lambda payload: None if payload is None else Upload(payload.path, payload.orig_name)
    return photo


def files_input(label: str, elem_id: str | None = None) -> gr.File:
    """Gives the paths of the files as they were uploaded (`Upload`); whether they are pictures, our own reader says."""
    files = gr.File(file_count="multiple", type="filepath", label=label, elem_id=elem_id)
    files.preprocess = lambda payload: [Upload(file.path, file.orig_name) for file in payload.root] if payload else []
    return files


def prompts_input(offered: Range, elem_id: str) -> gr.Slider:
    """At most how many prompts."""
    info, (low, high, start, step) = everything_text.prompts_info("object-aware", offered.start), astuple(offered)
    return gr.Slider(low, high, start, step=step, label="Prompts", info=info, elem_id=elem_id)


def sampler_input(elem_id: str) -> gr.Radio:
    """Which sampler asks."""
    return gr.Radio(
        choices=list(text.SAMPLER_CHOICES),
        value="object-aware",
        label="Sampler",
        info=everything_text.SAMPLER_INFO,
        elem_id=elem_id,
    )


def run_buttons(name: str, label: str | None = None) -> tuple[gr.Button, gr.Button]:
    """The two buttons of a tab.

    Args:
        label: of the run button; by default the tab's name.
    """
    with gr.Row(elem_classes="actions"):
        return (
            gr.Button(label or name.capitalize(), variant="primary", elem_id=f"{name}-run", scale=3, min_width=80),
            gr.Button("Cancel", interactive=False, elem_id=f"{name}-cancel", scale=1, min_width=80),
        )


def shown(*values: Any) -> str:
    """JavaScript that shows `values` in the outputs of a listener, without asking the server."""
    return "() => " + json.dumps(values)


def properties(**changed: Any) -> dict[str, Any]:
    """New properties of a component, for `shown`: what `gr.update` is on the server."""
    return {"__type__": "update", **changed}


BUSY = (properties(interactive=False), properties(interactive=True))
READY = (properties(interactive=True), properties(interactive=False))
"""How the run and the cancel button are during a run, and otherwise."""


def png(picture: Picture, name: str) -> str:
    """A file in Gradio's cache. Gradio's own writer packs five times as long to save a sixth of the bytes."""
    return _cached(png_bytes(Image.fromarray(np.ascontiguousarray(picture))), f"{name}.png")


def jpeg(picture: Picture, name: str) -> str:
    """A file in Gradio's cache, for photographs that are shown and not measured."""
    return _cached(jpeg_bytes(Image.fromarray(np.ascontiguousarray(picture))), f"{name}.jpg")


def _cached(content: bytes, name: str) -> str:
    """A file in Gradio's cache, under the same path for the same content.

    Gradio's own `save_bytes_to_cache` writes over what is there, also while it is being sent to another visitor.
    """
    folder = Path(get_upload_folder()) / hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{secrets.token_hex(8)}"
    unfinished.write_bytes(content)
    return str(unfinished.replace(folder / name).resolve())


def file_data(path: str) -> dict[str, Any]:
    """A file within the value of a `gr.HTML`: its script finds it with a `url`."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}
