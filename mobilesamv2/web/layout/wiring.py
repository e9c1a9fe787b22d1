"""How functions are connected: errors as sentences, one lane for the model, run and cancel, endpoints."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any, TypeVar

import gradio as gr

from ...errors import MobileSamError
from .. import text
from .parts import BUSY, READY, shown

log = logging.getLogger(__name__)

MODEL_LANE = "model"
"""All listeners that run the model share this lane and take turns: memory and timings belong to one run."""

Yields = TypeVar("Yields")


@contextmanager
def sentences() -> Iterator[None]:
    """Turn errors into what a visitor is told: our own as they are, all others into one sentence and a log entry."""
    try:
        yield
    except gr.Error:
        raise
    except MobileSamError as error:
        # Gradio shows the message as HTML; programs get it too, and to them an escaped quote is noise.
        raise gr.Error(
            escape(str(error), quote=False), title=text.ERROR_TITLE, print_exception=False
        ) from error
    except Exception as error:
        log.exception("A run failed unexpectedly.")
        raise gr.Error(text.UNEXPECTED, title=text.ERROR_TITLE, print_exception=False) from error


def in_sentences(
    function: Callable[..., Iterator[Yields]],
) -> Callable[..., Generator[Yields, None, None]]:
    """A generator whose errors are `sentences`."""

    @functools.wraps(function)
    def told(*arguments: Any) -> Generator[Yields, None, None]:
        with sentences():
            yield from function(*arguments)

    return told


def on_run(
    buttons: tuple[gr.Button, gr.Button],
    page: Callable[..., Generator[Any, None, None]],
    inputs: list[Any],
    outputs: list[Any],
    status: gr.HTML,
) -> Any:
    """Let the run button start `page` and the cancel button stop it; returns the event of a run.

    `status`, the last of `outputs`, also says what went wrong.
    """
    run, cancel = buttons

    @functools.wraps(page)
    def told(*arguments: Any) -> Generator[Any, None, None]:
        try:
            yield from in_sentences(page)(*arguments)
        except gr.Error as error:
            yield *(gr.skip() for _ in outputs[1:]), text.problem(error.message)
            error.visible = False  # said where the numbers would be, and no note lies over the page
            raise

    buttons_only = {"outputs": [run, cancel], "queue": False, "api_visibility": "private"}
    # What changes at once changes in the browser: a round trip would let the next click overtake it.
    run.click(None, js=shown(*BUSY), **buttons_only)
    running = run.click(
        told,
        inputs,
        outputs,
        concurrency_id=MODEL_LANE,
        concurrency_limit=1,
        show_progress="minimal",
        show_progress_on=status,
        api_visibility="private",
    )
    for ended in (running.success, running.failure):
        ended(None, js=shown(*READY), **buttons_only)
    stop_on(cancel.click, [running], [status, run, cancel], [text.idle(text.CANCELLED), *READY])
    return running


def stop_on(event: Callable[..., Any], running: list[Any], outputs: list[Any], values: list[Any]) -> None:
    """Let `event` stop the runs and show `values`; in that order, or a late step would be shown over them."""
    event(None, cancels=running, queue=False, api_visibility="private")
    event(None, outputs=outputs, js=shown(*values), queue=False, api_visibility="private")


def endpoint(
    function: Callable[..., Any], inputs: list[Any], outputs: list[Any], *, name: str, description: str
) -> None:
    """Offer `function` to programs: no button starts it, its defaults are the first values of the inputs."""

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        with sentences():
            return function(*arguments)

    gr.on(
        [],
        told,
        inputs,
        outputs,
        api_name=name,
        api_description=description,
        concurrency_id=MODEL_LANE,
        concurrency_limit=1,
    )
