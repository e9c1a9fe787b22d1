"""Wiring of events: run and cancel buttons, and what happens when another photo is chosen."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr
from gradio.components import Component

from ...progress import Progress
from ..jobs import Job
from ..sessions import JobNumbers, Session
from ..steps import paced
from ..text import page as text
from .page import Page
from .parts import BUSY, READY, shown
from .sentences import sentences

VISITOR_LANE = "visitors"
"""Runs of visitors. They wait for the model's lock, first come, first served, and can be stopped there."""
MOST_AT_WORK = 16
"""Runs in that lane; further ones wait in Gradio's queue before they begin."""
PROGRAM_LANE = "programs"
"""Programs' calls that run the model once are answered one at a time; each waits for the model's lock, too."""
BATCH_LANE = "batches"
"""Programs' batches are answered one at a time."""
PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUIET: dict[str, Any] = {"queue": False, **PRIVATE}
"""Of listeners that only the browser hears."""
AT_ONCE: dict[str, Any] = {"show_progress": "hidden", **QUIET}
"""Of listeners that do not wait in the queue, and so may overtake the runs."""

Values = tuple[Any, ...]
"""A value for each output of a tab."""
Work = Callable[..., Generator[Progress | Values, None, None]]


def on_run(
    page: Page,
    name: str,
    buttons: tuple[gr.Button, gr.Button],
    work: Work,
    inputs: list[Component],
    outputs: list[Component],
    *,
    cleared: list[Any],
    is_batch: bool = False,
) -> Any:
    """Let the run button start `work` as a job of the session, and the cancel button stop it.

    The browser numbers the job and sets the buttons; a listener without queue tells the server of it, which makes
    every earlier job stale; `work` follows in the queue. When it has ended, the browser sets the buttons back, unless
    the tab has begun a newer job.

    Args:
        name: of the tab.
        work: takes the `Job`, then the values of `inputs`; yields steps, which the status shows, and values for all
            `outputs`. It ends soon after the job is stale (`Job.follow`); what it yields then is shown, unless the
            job is gone. Where it leaves a step in the status, that says that the run was cancelled.
        outputs: the last of them is the status; it also says what went wrong.
        cleared: values of `outputs` without a photo; those before the status also stand beside what went wrong.
        is_batch: a job that other runs and other photos do not stop; batches take turns.

    Returns:
        the event of a run that has ended.
    """
    run, cancel = buttons
    status, tab = outputs[-1], json.dumps(name)
    nothing = [gr.skip() for _ in outputs]
    # In the browser: the number of a job on its way to the server, and of the one that the last answer belongs to.
    asked, answered = (
        gr.Number(0, precision=0, visible="hidden", label=label, elem_id=f"{name}-{label}")
        for label in ("asked", "answered")
    )

    def numbers(session: Session) -> JobNumbers:
        return session.batches if is_batch else session.runs

    def begin(request: gr.Request, number: float) -> None:
        numbers(page.session(request)).begin(number, name)

    def stop(request: gr.Request, number: float) -> None:
        numbers(page.session(request)).cancel(number)

    def do(request: gr.Request, number: float, *values: Any) -> Generator[Values, None, None]:
        session = page.session(request)
        job = Job.take(session, number, numbers(session), name)
        if job is None:
            yield number, *nothing  # without any values, Gradio would clear the outputs
            return
        is_told = False  # whether the status says what came out

        def fetched_and_done() -> Generator[Progress | Values, None, None]:
            if page.model in inputs:
                yield from job.wanted(page.models.fetch(values[inputs.index(page.model)]))
            yield from work(job, *values)

        start = partial(told, page, f"page-{name}", fetched_and_done)
        with closing(page.batch_lock.run(start) if is_batch else start()) as items:
            for item in items:
                if job.is_gone:
                    break
                if isinstance(item, Problem):
                    yield number, *cleared[:-1], text.problem(item.sentence_html)
                    is_told = True
                elif isinstance(item, Progress):
                    yield number, *nothing[1:], text.step(item.stage, item.done, item.total)
                    is_told = False
                else:
                    yield number, *item
                    is_told = is_told or item[-1] != gr.skip()
        is_cancelled = job.is_stale and not job.is_gone and not is_told
        # Gradio sends the last values twice: nothing is best.
        yield number, *nothing[1:], text.idle(text.CANCELLED) if is_cancelled else gr.skip()

    latest = f"() => [window.jobs.latestOf({tab})]"
    is_latest = f"n === window.jobs.latestOf({tab})"
    # What changes at once changes in the browser: a round trip would let the next click overtake it.
    busy = f"() => (window.jobs.begin({tab}), {json.dumps(BUSY)})"
    run.click(None, None, [run, cancel], js=_then_focus(busy, cancel), **QUIET)
    running = run.click(begin, asked, None, js=latest, trigger_mode="multiple", **AT_ONCE).then(
        do,
        [asked, *inputs],
        [answered, *outputs],
        js=f"(_, ...values) => [window.jobs.latestOf({tab}), ...values]",
        concurrency_id=VISITOR_LANE,
        concurrency_limit=MOST_AT_WORK,
        trigger_mode="multiple",  # also while the run before ends
        show_progress="minimal",
        show_progress_on=status,
        api_name=f"{name}-run",  # or it would take an endpoint's name from it
        **PRIVATE,
    )
    ready = _then_focus(shown(*READY), run)
    # The server never began it: too many wait, or it cannot be reached.
    running.failure(None, None, [run, cancel], js=ready, **QUIET)
    skips = json.dumps([gr.skip()] * 2)
    running.then(None, answered, [run, cancel], js=f"n => {is_latest} ? ({ready})() : {skips}", **QUIET)
    if not is_batch:
        # An answer may have been on its way to the browser when another photo cleared the outputs there.
        cleared_again = f"{is_latest} && window.jobs.isGone(n) ? {json.dumps(cleared)} : {json.dumps(nothing)}"
        running.then(None, answered, outputs, js=f"n => {cleared_again}", **QUIET)
    cancelled = shown(text.idle(text.CANCELLED), *READY)
    cancel.click(None, None, [status, run, cancel], js=_then_focus(cancelled, run), **QUIET)
    cancel.click(stop, asked, None, js=latest, trigger_mode="multiple", **AT_ONCE)
    return running


def on_another_photo(page: Page, outputs: list[Component], cleared: list[Any]) -> None:
    """Show `cleared` in `outputs` as soon as the photo is another one, or none, and drop all jobs on the one before."""
    number = gr.Number(0, precision=0, visible="hidden", label="dropped", elem_id="photo-dropped")

    def drop(request: gr.Request, number: float) -> None:
        page.session(request).runs.drop(number)

    js = f"() => (window.jobs.dropAll(), {json.dumps(cleared)})"
    page.photo.change(None, None, outputs, js=js, **QUIET)
    page.photo.change(drop, number, None, js="() => [window.jobs.dropped()]", trigger_mode="multiple", **AT_ONCE)


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


@dataclass(frozen=True)
class Problem:
    """What went wrong in a run, as the visitor is told."""

    sentence_html: str


def told(page: Page, name: str, work: Callable[[], Generator[Any, None, None]]) -> Generator[Any, None, None]:
    """What `work` yields, counted as a request of that name, its progress paced; a `Problem` where it fails."""
    try:
        with page.metrics.request(name), sentences(), closing(paced(work())) as items:
            yield from items
    except gr.Error as error:
        yield Problem(error.message)
