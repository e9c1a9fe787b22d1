"""Formats to choose and one button: masks on the page as a file to download."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.utils import get_upload_folder

from ...export import chosen_formats
from ...progress import Progress
from .. import exporting
from ..exporting import ExportItem
from ..sessions import Session
from ..text import page as page_text
from .page import Page
from .parts import file_data
from .wiring import Problem, told

# The link stays for those whose browser asks before it saves; the script follows it once.
_FOLLOW = """
const link = element.querySelector(".export-link");
watch("value", () => {
    const { file, label } = props.value || {};
    link.hidden = !file?.url;
    if (link.hidden) return link.removeAttribute("href");
    link.href = file.url;
    link.download = decodeURIComponent(file.url.split("/").pop());
    link.textContent = label;
    link.click();
});
"""


class ExportPanel:
    """Formats to choose, a button, and a link to what it made.

    Args:
        page: what all tabs share.
        name: of the tab, for ids: "segment" gives #segment-formats, #segment-download and #segment-file.
        take: what is on the page, of the session, the chosen photo and the values of `more`; a generator also yields
            steps before it returns that. Raises a `MobileSamError` where nothing is.
        more: inputs of `take`.
    """

    def __init__(
        self,
        page: Page,
        name: str,
        take: Callable[..., ExportItem | Generator[Progress, None, ExportItem]],
        more: Sequence[Component] = (),
    ) -> None:
        with gr.Group(elem_classes="export"):
            formats = formats_input(f"{name}-formats")
            button = gr.Button("Download", elem_id=f"{name}-download", min_width=80)
        link, status = download_link(f"{name}-file"), gr.HTML("", elem_id=f"{name}-export-status")
        self.outputs: list[Component] = [link, status]
        self.cleared: list[Any] = [{}, ""]

        def pack(session: Session, photo: str | None, named: list[str], *values: Any) -> Generator[Any, None, None]:
            chosen = chosen_formats(named)
            taken = take(session, photo, *values)
            if not isinstance(taken, ExportItem):
                taken = yield from taken
            yield from exporting.pack(taken, chosen, new_folder())

        def packing(request: gr.Request, photo: str | None, *values: Any) -> Generator[tuple[Any, ...], None, None]:
            session = page.session(request)
            yield {}, ""
            with closing(told(page, "page-export", partial(pack, session, photo, *values))) as items:
                for item in items:
                    if isinstance(item, Path):
                        yield offered(item), ""
                    elif isinstance(item, Problem):
                        yield {}, page_text.problem(item.sentence_html)
                    else:
                        yield gr.skip(), page_text.step(item.stage, item.done, item.total)

        button.click(
            packing,
            [page.photo, formats, *more],
            self.outputs,
            show_progress="hidden",
            concurrency_limit=2,
            api_visibility="private",
        )


def download_link(elem_id: str) -> gr.HTML:
    """A link that is followed as soon as `offered` gives it a file; {}: no link."""
    return gr.HTML({}, html_template='<a class="export-link" download hidden></a>', js_on_load=_FOLLOW, elem_id=elem_id)


def offered(path: Path) -> dict[str, Any]:
    """The value of a `download_link` for a finished file."""
    return {"file": file_data(str(path)), "label": exporting.link(path.name, path.stat().st_size)}


def formats_input(elem_id: str | None = None) -> gr.CheckboxGroup:
    """What to choose from."""
    return gr.CheckboxGroup(
        choices=list(exporting.FORMATS),
        value=["coco", "label-map", "masks", "cutouts", "overlay"],
        label="Files",
        info=exporting.FORMATS_INFO,
        elem_id=elem_id,
        elem_classes="formats",
    )


def new_folder() -> Path:
    """A folder in Gradio's cache whose name nobody can guess: files in it are served, and removed in time."""
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return folder
