"""*Several photos*: all with the same settings, a gallery of what is done, one ZIP."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from ...export import SUMMARY_NAME
from .. import batching, exporting, segmenting
from ..batching import BatchView, PhotoDone, PhotoFailed, PhotoStep
from ..steps import paced
from ..text import batching as text
from ..text import everything as everything_text
from ..text import page as page_text
from ..text import segmenting as segment_text
from ..visits import Visit
from .export_panel import download_link, formats_input, new_folder, offered
from .page import Page
from .parts import file_data, files_input, jpeg, run_buttons, slider
from .tab import Tab
from .wiring import BATCH_LANE, on_run


class BatchTab(Tab):
    """*Several photos*: all with the same settings, a gallery of what is done, one ZIP."""

    name = "batch"
    title = "Several photos"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        with gr.Column(elem_classes="result"):
            self.gallery = gr.Gallery(
                label=text.GALLERY_LABEL,
                show_label=False,
                columns=3,
                object_fit="contain",
                format="jpeg",
                interactive=False,
                buttons=[],
                elem_id="batch-gallery",
                elem_classes="stage",
            )
        with gr.Column(elem_classes="controls"):
            self.photos = files_input(text.PHOTOS_LABEL.format(most=settings.most_photos), "batch-photos")
            self.prompts = slider(
                settings.prompts,
                segment_text.PROMPTS_LABEL,
                segment_text.prompts_info("object-aware", settings.prompts.start),
                elem_id="batch-prompts",
            )
            self.buttons = run_buttons("batch", text.RUN)
            with gr.Accordion(text.FILES_TITLE, open=False):
                self.sampler = gr.Radio(
                    choices=list(page_text.SAMPLERS),
                    value="object-aware",
                    label="Sampler",
                    info=everything_text.SAMPLER_INFO,
                    elem_id="batch-sampler",
                )
                self.formats = formats_input("batch-formats")
        with gr.Column(elem_classes="numbers"):
            self.link = download_link("batch-file")
            self.numbers = gr.HTML(page_text.idle(text.IDLE), elem_id="batch-numbers")
        # Where the ZIP lies while it is made: cancelling hands out what is in it. Never leaves the server.
        self.archive = gr.State("")
        self.outputs: list[Component] = []  # another photo on the page changes nothing here

    def cleared(self) -> list[Any]:
        """Values of `outputs`: there are none."""
        return []

    def connect(self) -> list[Any]:
        """Wire the tab up; its run goes on when another photo comes onto the page."""
        page = self.page
        run = page.on_model(segmenting.run_segment, prompts=segmenting.prompts_of_segment)

        def segment_all(
            visit: Visit,
            photos: list[str],
            sampler: str,
            max_prompts: float,
            formats: list[str],
            model: str,
        ) -> Generator[tuple[Any, ...], None, None]:
            chosen = exporting.formats_of(formats)
            batching.check_number(photos, most=page.settings.most_photos)
            archive = new_folder() / "masks.zip"
            with zipfile.ZipFile(archive, "w"):
                pass  # told to the page at once, and so removed in time whatever happens
            yield [], {"unfinished": file_data(str(archive))}, str(archive), gr.skip()
            items = batching.batch(
                photos,
                sampler,
                int(max_prompts),
                model,
                chosen,
                archive,
                run=run,
                thumbnail_side=page.settings.thumbnail_side,
            )
            done: list[tuple[str, str]] = []
            failed = ""
            with closing(paced(items)) as paced_items:
                for item in paced_items:
                    if isinstance(item, PhotoDone):
                        done = [*done, (jpeg(item.overlay, "overlay"), text.caption(item.record))]
                        yield done, gr.skip(), gr.skip(), gr.skip()
                    elif isinstance(item, PhotoFailed):
                        failed += text.failures([{"error": item.error}])
                    elif isinstance(item, BatchView):
                        link = offered(archive) if done else {}
                        yield gr.skip(), link, "", text.numbers(item.summary)
                    elif isinstance(item, PhotoStep):
                        yield gr.skip(), gr.skip(), gr.skip(), failed + text.step(item)

        inputs = [self.photos, self.sampler, self.prompts, self.formats, page.model]
        outputs = [self.gallery, self.link, self.archive, self.numbers]
        on_run(
            page,
            self.buttons,
            segment_all,
            inputs,
            outputs,
            failed=[gr.skip(), {}, ""],
            last_word=(self._stopped, [self.archive], [self.link, self.archive, self.numbers]),
            lane=BATCH_LANE,
        )
        for changed in (self.sampler.change, self.prompts.change):
            changed(
                None,
                [self.sampler, self.prompts],
                self.prompts,
                js=segment_text.PROMPTS_INFO_JS,
                queue=False,
                api_visibility="private",
            )
        return []

    @staticmethod
    def _stopped(archive: str) -> tuple[Any, Any, Any]:
        """What is in the ZIP of a run that was cancelled, and what failed: it is whole once the run has stopped."""
        summary: dict[str, Any] = {"photos": [], "failures": []}
        if archive and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                if SUMMARY_NAME in packed.namelist():
                    summary = json.loads(packed.read(SUMMARY_NAME))
        photos, failed = len(summary["photos"]), text.failures(summary["failures"])
        if photos:
            return offered(Path(archive)), "", failed + page_text.idle(text.stopped(photos))
        return {}, "", failed + page_text.idle(page_text.CANCELLED)
