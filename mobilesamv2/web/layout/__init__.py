"""Components and wiring of the page, and how it is served. The only part of the package that knows Gradio."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import gradio as gr

import mobilesamv2

from ...comparison import Comparison
from ...errors import MobileSamError
from ...segmenter import Progress
from ...types import Picture, SegmentationResult
from .. import handlers, text
from ..handlers import CompareView, HasStage, Models, SegmentView
from ..settings import Settings
from ..source import source_archive
from .compare_tab import CompareTab
from .parts import photo_input
from .segment_tab import SegmentTab
from .theme import THEME
from .wiring import in_sentences, stop_on

_STYLE = Path(__file__).parents[1] / "style.css"

Gpu = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
"""`spaces.GPU`, or anything called the same way: `gpu(duration=seconds_for_the_same_arguments)(function)`."""


def without_gpu(*, duration: Callable[..., float]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Stands in for `spaces.GPU` where no GPU is lent by the call."""
    del duration
    return lambda function: function


def serve(settings: Settings | None = None, *, host: str | None = None, port: int | None = None) -> None:
    """Load the model, serve the page and block until interrupted.

    Args:
        settings: from the environment by default.
        host, port: override `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT`; by default 127.0.0.1 and the first
            free port from 7860.

    Raises:
        MobileSamError: if not even the embedded model can be loaded, or the port is taken.
    """
    settings = settings or Settings.from_environment()
    launch(make_demo(settings), settings, host=host, port=port)


def make_demo(settings: Settings, *, gpu: Gpu = without_gpu) -> gr.Blocks:
    """The page with real models: the first is loaded here, the others when they are chosen."""
    models = Models(
        mobilesamv2.load,
        names=mobilesamv2.models(),
        first=settings.model,
        load_all=settings.load_all_models,
    )
    return build_demo(models, settings, gpu=gpu)


def launch(
    demo: gr.Blocks,
    settings: Settings,
    *,
    host: str | None = None,
    port: int | None = None,
    block: bool = True,
) -> str:
    """Serve `demo` and print its address.

    Args:
        host, port: as for `serve`.
        block: until interrupted; otherwise return the address at once.

    Raises:
        MobileSamError: if the port is taken.
    """
    demo.queue(max_size=settings.queue_size, default_concurrency_limit=1)
    try:
        _, address, _ = demo.launch(
            prevent_thread_lock=not block,
            server_name=host,
            server_port=port,
            theme=THEME,
            css_paths=[_STYLE],
            max_file_size=settings.upload_bytes,
            allowed_paths=[] if settings.source_url else [str(source_archive())],
            footer_links=["api", "settings"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            pwa=False,
        )
    except OSError as error:
        raise MobileSamError(f"The page cannot be served: {error}") from error
    return str(address)


def build_demo(models: Models, settings: Settings, *, gpu: Gpu = without_gpu) -> gr.Blocks:
    """Lay out the page and connect it. Each tab brings a result, its controls and its numbers; the photo is shared.

    Args:
        models: on the menu, shared by all visitors.
        settings: every limit and first value.
        gpu: wraps the functions that run the model; `spaces.GPU` on a Space.
    """
    run_segment, run_compare = _model_functions(models, settings, gpu)
    side = settings.display_side

    with gr.Blocks(
        title=text.TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(settings.keep_seconds, settings.keep_seconds),
    ) as demo:
        with gr.Row(elem_id="masthead"):
            gr.HTML(text.masthead(), elem_id="title")
            model = gr.Dropdown(
                choices=list(models.names),
                value=models.first,
                label="Model",
                elem_id="model",
                filterable=False,
                min_width=120,
            )
            gr.HTML(text.running_on(models.device), elem_id="running")
        with gr.Column(elem_id="bench"):
            with gr.Column(elem_id="source"):
                photo = photo_input()
                if settings.examples:
                    gr.Examples(
                        [[str(path)] for path in settings.examples],
                        inputs=[photo],
                        label="Examples",
                        examples_per_page=len(settings.examples),
                        elem_id="examples",
                        api_visibility="private",
                    )
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab("Segment everything", id="segment", elem_id="segment-tab"):
                    segment_tab = SegmentTab(settings)
                with gr.Tab("Compare samplers", id="compare", elem_id="compare-tab"):
                    compare_tab = CompareTab(settings)
        gr.HTML(text.colophon(_source_link(settings)), elem_id="colophon")
        demo.load(None, js=text.PICTURE_NAMES_JS, queue=False, api_visibility="private")

        def segment(
            photo: str | None, sampler: str, max_prompts: float, model: str
        ) -> Generator[HasStage | SegmentView, None, None]:
            return handlers.segment(
                photo, sampler, int(max_prompts), model, run=run_segment, display_side=side
            )

        def compare(
            photo: str | None, max_prompts: float, points_per_side: float, model: str
        ) -> Generator[HasStage | CompareView, None, None]:
            return handlers.compare(
                photo, int(max_prompts), int(points_per_side), model, run=run_compare, display_side=side
            )

        segment_run = segment_tab.connect(segment, photo=photo, model=model)
        compare_run = compare_tab.connect(compare, photo=photo, model=model)
        # What is shown belongs to the photo: another one clears it and stops what is under way.
        stop_on(
            photo.change,
            [segment_run, compare_run],
            [*segment_tab.outputs, *compare_tab.outputs],
            [*segment_tab.cleared(), *compare_tab.cleared()],
        )
    return demo


def _source_link(settings: Settings) -> str:
    """Where the source of what runs here is: relative, for pages behind a proxy, where the page hands it out."""
    return settings.source_url or f"./gradio_api/file={source_archive()}"


def _model_functions(
    models: Models, settings: Settings, gpu: Gpu
) -> tuple[handlers.SegmentRun, handlers.CompareRun]:
    """The two functions that run a model. On a lent GPU they run in a process of their own, from which only our
    sentences come back, so errors are turned into those inside."""

    def segment_seconds(picture: Picture, sampler: str, max_prompts: int, model: str) -> float:
        return settings.seconds_on_gpu(max_prompts)

    def compare_seconds(picture: Picture, max_prompts: int, points_per_side: int, model: str) -> float:
        return settings.seconds_on_gpu(max_prompts + points_per_side**2)

    @gpu(duration=segment_seconds)
    @in_sentences
    def run_segment(
        picture: Picture, sampler: str, max_prompts: int, model: str
    ) -> Generator[Progress | SegmentationResult, None, None]:
        return handlers.run_segment(models, picture, sampler, max_prompts, model)

    @gpu(duration=compare_seconds)
    @in_sentences
    def run_compare(
        picture: Picture, max_prompts: int, points_per_side: int, model: str
    ) -> Generator[Progress | Comparison, None, None]:
        return handlers.run_compare(models, picture, max_prompts, points_per_side, model)

    return run_segment, run_compare
