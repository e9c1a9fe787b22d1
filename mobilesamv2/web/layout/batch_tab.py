"""*Several photos*: all with the same settings, a gallery of what is done, one ZIP."""

from __future__ import annotations

import zipfile
from collections.abc import Generator
from contextlib import closing

import gradio as gr
from gradio.components import Component

from ...export import chosen_formats
from ...progress import Progress
from ...request import Request
from .. import batching
from ..batching import PhotoDone, PhotoStep, Summary
from ..jobs import Job
from ..steps import paced
from ..text import everything as everything_text
from ..text import page as page_text
from .export_panel import download_link, formats_input, new_folder, offered
from .page import Page, Tab
from .parts import file_data, files_input, jpeg, prompts_input, run_buttons, sampler_input
from .wiring import AT_ONCE, Values, on_run


class BatchTab(Tab):
    name = "batch"
    title = "Several photos"

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        settings = page.settings
        with gr.Column(elem_classes="result"):
            self.gallery = gr.Gallery(
                label="Photos that are done",
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
            self.photos = files_input(batching.PHOTOS_LABEL.format(most=settings.most_photos), "batch-photos")
            self.prompts = prompts_input(settings.prompts, "batch-prompts")
            run_button, cancel = run_buttons("batch", batching.RUN)
            with gr.Accordion("Sampler and files", open=False):
                self.sampler = sampler_input("batch-sampler")
                self.formats = formats_input("batch-formats")
        with gr.Column(elem_classes="numbers"):
            self.link = download_link("batch-file")
            self.numbers = gr.HTML(page_text.idle(batching.IDLE), elem_id="batch-numbers")
        self.run_buttons = run_button, cancel  # not `buttons`: another photo on the page changes nothing here

    def connect(self) -> None:
        """Wire the tab up; its run goes on when another photo comes onto the page."""
        page, settings = self.page, self.page.settings

        def segment_all(
            job: Job, photos: list[str], sampler: str, max_prompts: float, formats: list[str], model: str
        ) -> Generator[Progress | Values, None, None]:
            chosen = chosen_formats(formats)
            batching.check_number(photos, most=settings.most_photos)
            archive = new_folder() / "masks.zip"
            with zipfile.ZipFile(archive, "w"):
                pass  # told to the page at once, and so removed in time whatever happens
            yield [], {"unfinished": file_data(str(archive))}, gr.skip()
            request, side = Request(sampler, max_prompts=int(max_prompts)), settings.thumbnail_side
            items = batching.batch(job, photos, request, model, chosen, archive, run=page.run, thumbnail_side=side)
            done: list[tuple[str, str]] = []
            summary: Summary = {"photos": [], "failures": []}
            with closing(paced(items)) as paced_items:
                for item in paced_items:
                    if isinstance(item, PhotoStep):
                        yield gr.skip(), gr.skip(), _status(item, summary)
                    elif isinstance(item, PhotoDone):
                        done = [*done, (jpeg(item.overlay, "overlay"), batching.caption(item.record))]
                        yield done, gr.skip(), gr.skip()
                    else:
                        summary = item
            told = batching.stopped if job.is_stale else batching.numbers
            yield gr.skip(), offered(archive) if done else {}, told(summary)

        inputs: list[Component] = [self.photos, self.sampler, self.prompts, self.formats, page.model]
        outputs: list[Component] = [self.gallery, self.link, self.numbers]
        cleared = [[], {}, page_text.idle(batching.IDLE)]
        on_run(page, self.name, self.run_buttons, segment_all, inputs, outputs, cleared=cleared, is_batch=True)
        for changed in (self.sampler.change, self.prompts.change):
            changed(None, [self.sampler, self.prompts], self.prompts, js=everything_text.PROMPTS_INFO_JS, **AT_ONCE)


def _status(at: PhotoStep, summary: Summary) -> str:
    """What failed so far, and where the run is."""
    where = batching.where(at.photo, place=at.place, photos=at.photos)
    return batching.failures(summary["failures"]) + where + page_text.step(at.stage, at.done, at.total)
