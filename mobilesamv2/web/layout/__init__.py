"""Components and wiring of the page, and how it is served. The only part of the package that knows Gradio."""

from __future__ import annotations

from functools import partial

import gradio as gr

import mobilesamv2

from ... import zoo
from ...build import build_detector
from .. import menus
from ..health import Health, answers
from ..menus import Network
from ..models import Models
from ..sessions import Session, Sessions
from ..settings import EMBEDDED_MODEL, Settings
from ..source import source_archive
from ..text import page as text
from .batch_tab import BatchTab
from .budget_tab import BudgetTab
from .compare_tab import CompareTab
from .endpoints import add_endpoints
from .inputs import Demo
from .masthead import Masthead
from .page import Gpu, Page, Tab, without_gpu
from .parts import READY, photo_input
from .permalink import add_permalink
from .prompt_tab import PromptTab
from .segment_tab import SegmentTab
from .serving import launch, script
from .wiring import QUIET, on_another_photo

__all__ = ["build_demo", "launch", "make_demo", "serve"]

TABS: tuple[type[Tab], ...] = (SegmentTab, CompareTab, BudgetTab, PromptTab, BatchTab)
"""From left to right."""


def serve(
    settings: Settings | None = None, *, host: str | None = None, port: int | None = None, share: bool = False
) -> None:
    """Load the model, serve the page and block until interrupted.

    Args:
        settings: from the environment by default.
        host, port, share: as `launch` takes them.

    Raises:
        MobileSamError: if not even the embedded model can be loaded, or the port is taken.
    """
    settings = settings or Settings.from_environment()
    launch(make_demo(settings), settings, host=host, port=port, share=share)


def make_demo(settings: Settings, *, gpu: Gpu = without_gpu) -> Demo:
    """The page with real models: the first is loaded here, the others when they are chosen."""
    names, detectors = tuple(zoo.MODELS), tuple(zoo.DETECTORS)
    if settings.load_all_models:  # what is not here now would be fetched by every run anew
        names = tuple(name for name in names if name == settings.model or menus.is_here(name))
        detectors = tuple(name for name in detectors if menus.is_here(f"{EMBEDDED_MODEL}+{name}"))
    models = Models(
        mobilesamv2.load,
        names=names,
        first=settings.model,
        load_all=settings.load_all_models,
        load_detector=build_detector,
        detectors=detectors,
        fetch=menus.arriving,
    )
    return build_demo(models, settings, gpu=gpu, network=Network(menus.hub_is_reachable))


def build_demo(models: Models, settings: Settings, *, gpu: Gpu = without_gpu, network: Network | None = None) -> Demo:
    """Lay out the page and connect it. The photo is shared; each tab brings a result, its controls and its numbers.

    Args:
        models: on the menu, shared by all visitors.
        settings: every limit and first value.
        gpu: wraps the functions that run the model; `spaces.GPU` on a Space.
        network: tells the menus whether anything can be fetched; None: nothing can.
    """
    sessions = Sessions(
        most=settings.most_sessions,
        most_bytes=settings.most_session_bytes,
        seconds=settings.keep_seconds,
        new=partial(Session, most_results=settings.most_results, most_pixels=settings.most_pixels),
    )
    with Demo(
        title=text.TITLE,
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(settings.keep_seconds, settings.keep_seconds),
    ) as demo:
        demo.fetch_addresses = settings.fetch_addresses
        masthead = Masthead(models, network or Network())
        with gr.Column(elem_id="bench", scale=0):
            with gr.Column(elem_id="source"):
                photo = photo_input()
                at_hand = gr.Textbox(visible="hidden", elem_id="photo-at-hand", label="Photo at hand")
                if settings.examples:
                    gr.Examples(
                        [[str(path)] for path in settings.examples],
                        inputs=[photo],
                        label="Examples",
                        examples_per_page=len(settings.examples),
                        elem_id="examples",
                        api_visibility="private",
                    )
            page = Page(
                settings=settings,
                models=models,
                sessions=sessions,
                gpu=gpu,
                photo=photo,
                at_hand=at_hand,
                model=masthead.chosen,
                load=demo.load,
            )
            tabs: list[Tab] = []
            with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as all_tabs:
                for kind in TABS:
                    with gr.Tab(kind.title, id=kind.name, elem_id=f"{kind.name}-tab"):
                        tabs.append(kind(page))
            add_permalink(demo, all_tabs, [tab.name for tab in tabs], masthead.chosen)
        gr.HTML(text.colophon(_source_link(settings)), elem_id="colophon")
        for name in ("jobs", "names", "bring", "radios"):
            demo.load(None, js=script(name), **QUIET)
        demo.load(None, js=_SCRIPTED, **QUIET)
        masthead.connect(demo)
        for tab in tabs:
            tab.connect()
        add_endpoints(page)
        photo.change(None, photo, at_hand, js='(photo) => photo?.url ?? ""', **QUIET)
        # Not by `at_hand`, which comes a moment later: what was asked of the new photo by then would be dropped, too.
        on_another_photo(
            page,
            [part for tab in tabs for part in (*tab.outputs, *tab.buttons)],
            [value for tab in tabs for value in (*tab.cleared, *(READY if tab.buttons else ()))],
        )
    # A GPU that is lent by the call is not there between calls, and loading was what could fail.
    demo.health = Health(partial(answers, models) if gpu is without_gpu else lambda: models.get(models.first))
    demo.metrics, demo.stop_runs = page.metrics, page.model_lock.close
    demo.metrics.watch_queue(lambda: len(demo._queue) + page.model_lock.waiting)
    return demo  # type: ignore[no-any-return]  # Gradio is not typed here


_SCRIPTED = '() => document.documentElement.classList.add("scripted")'
"""Says that the scripts run, for programs that use the page as soon as it is there."""


def _source_link(settings: Settings) -> str:
    """Where the source of what runs here is: relative, for pages behind a proxy, where the page hands it out."""
    return settings.source_url or f"./gradio_api/file={source_archive()}"
