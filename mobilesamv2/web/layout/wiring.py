"""How functions are connected: one lane for the model, run and cancel."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Generator
from typing import Any

import gradio as gr

from ..text import page as text
from .page import Page
from .parts import BUSY, READY, properties, shown
from .sentences import in_sentences

MODEL_LANE = "model"
"""Listeners that run the model once share this lane, and wait in it for each other. Whatever their lane, all take turns
in the model (`Page.on_model`): memory and timings belong to one run."""
BATCH_LANE = "batch"
"""Batches wait for each other. Between two photos of one, whoever else waits has a turn."""


def on_run(
    page: Page,
    buttons: tuple[gr.Button, gr.Button],
    work: Callable[..., Generator[tuple[Any, ...], None, None]],
    inputs: list[Any],
    outputs: list[Any],
    *,
    failed: list[Any],
    last_word: tuple[Callable[..., Any], list[Any], list[Any]] | None = None,
    lane: str = MODEL_LANE,
) -> Any:
    """Let the run button start `work` and the cancel button stop it; returns the event of a run.

    Args:
        work: takes the visitor's `Visit`, then the values of `inputs`; yields values for all `outputs`.
        outputs: the last of them, the status, also says what went wrong.
        failed: values for the others when a run fails, so that nothing old stays beside the sentence.
        last_word: a listener with its inputs and outputs, for when a cancelled run has stopped; by default the
            status says that it was.
        lane: runs of one lane are started one at a time.
    """
    run, cancel = buttons
    status = outputs[-1]
    rest = [gr.skip() for _ in outputs[:-1]]

    @functools.wraps(work)
    def told(key: str | None, *arguments: Any) -> Generator[Any, None, None]:
        visit = page.visits.of(key)
        try:
            if page.model in inputs:
                choice = arguments[inputs.index(page.model)]
                for step in in_sentences(page.models.fetch)(choice):
                    yield visit.key, *rest, text.step(step.stage, step.done, step.total)
            for values in in_sentences(work)(visit, *arguments):
                yield visit.key, *values
        except gr.Error as error:
            yield visit.key, *failed, text.problem(error.message)
            error.visible = False  # said where the numbers would be, and no note lies over the page
            raise

    buttons_only = {"outputs": [run, cancel], "queue": False, "api_visibility": "private"}
    # What changes at once changes in the browser: a round trip would let the next click overtake it.
    run.click(None, js=_then_focus(shown(*BUSY), cancel), **buttons_only)
    running = run.click(
        told,
        [page.visit, *inputs],
        [page.visit, *outputs],
        concurrency_id=lane,
        concurrency_limit=1,
        show_progress="minimal",
        show_progress_on=status,
        api_name=run.elem_id,  # or it would take an endpoint's name from it
        api_visibility="private",
    )
    ready = _then_focus(shown(*READY), run)
    running.success(None, js=_once_stopped(ready), **buttons_only)
    running.failure(None, js=_once_stopped(_unless_late(run, ready)), **buttons_only)  # also at a stop
    stop_on(
        cancel.click,
        [running],
        [status, cancel],
        [text.idle(text.CANCELLED), properties(interactive=False)],
        last_word=last_word,
    )
    return running


def _then_focus(js: str, button: gr.Button) -> str:
    """JavaScript that does `js`, and gives `button` the focus if the one that had it was switched off by that.

    Not if the focus has gone elsewhere since.
    """
    return f"""() => {{
        const had = document.activeElement;
        setTimeout(() => {{
            const has = document.activeElement;
            if (has === document.body || (has === had && had.disabled))
                document.getElementById("{button.elem_id}").focus({{preventScroll: true}});
        }}, 80);
        return ({js})();
    }}"""


def _once_stopped(js: str) -> str:
    """JavaScript that does `js` when no stop is under way any more."""
    return f"() => window.runs.allStopped().then({js})"


def _unless_late(run: gr.Button, js: str) -> str:
    """JavaScript that does `js` at the end of a run, but not where that was stopped and the next one was begun."""
    nothing = json.dumps([gr.skip()] * 2)
    return f'() => window.runs.isLate("{run.elem_id}") ? {nothing} : ({js})()'


def stop_on(
    event: Callable[..., Any],
    running: list[Any],
    outputs: list[Any],
    values: list[Any],
    *,
    last_word: tuple[Callable[..., Any], list[Any], list[Any]] | None = None,
) -> None:
    """Let `event` stop the runs and show `values`; in that order, or a late step would be shown over them.

    Args:
        last_word: a listener with its inputs and outputs, for when the runs have stopped; by default the values again.
    """
    stopped = event(None, cancels=running, queue=False, api_visibility="private")
    event(None, outputs=outputs, js=shown(*values), queue=False, api_visibility="private")
    # Through the queue, which keeps the order: a step may have been on its way to the browser.
    in_order = {
        "js": "(...inputs) => (window.runs.forget(), window.runs.allStopped().then(() => inputs))",
        "trigger_mode": "multiple",  # also while the last word about the stop before is on its way
        "api_name": "stopped",
        "concurrency_limit": None,
        "show_progress": "hidden",
        "api_visibility": "private",
    }
    if last_word is not None:
        stopped.then(*last_word, **in_order)
        return
    # Not the buttons, nor what the next run shows, for it may have begun.
    late = [pair for pair in zip(outputs, values, strict=True) if not isinstance(pair[0], gr.Button)]
    again, nothing = json.dumps([(output._id, value) for output, value in late]), json.dumps(gr.skip())
    stopped.then(lambda: None, None, None, **in_order).then(
        None,
        None,
        [output for output, _ in late],
        js=f"() => {again}.map(([id, value]) => window.runs.willShow(id) ? {nothing} : value)",
        queue=False,
        api_visibility="private",
    )
